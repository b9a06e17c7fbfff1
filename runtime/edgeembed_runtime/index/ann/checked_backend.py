"""Calls into ANN backends, checked: whatever a backend does, no answer is wrong.

A backend that breaks the contract of `backend.py` raises BackendError here. Who catches it leaves
the backend out, says so in the log, and scans the segment exactly.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import storage
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import EdgeEmbedError, IndexCorruptError
from edgeembed_runtime.index.ann.backend import (
    AnnBackend,
    AnnShape,
    GrowingBackend,
    LoadedAnn,
    RowSource,
    SelectiveAnn,
)


class BackendError(IndexCorruptError):
    """A backend broke its contract; the message names it and says how."""


class CheckedAnn:
    """A loaded file whose answers are safe to index rows with."""

    def __init__(self, ann: LoadedAnn, backend: AnnBackend, n: int) -> None:
        """Wrap what `backend` loaded of a segment of n rows."""
        self.backend = backend
        self._ann = ann
        self._n = n
        self._selective = ann if isinstance(ann, SelectiveAnn) else None
        # See SelectiveAnn; None for a backend that cannot be asked for some rows.
        self.most_effort = None if self._selective is None else self._selective.most_effort

    def query(
        self,
        vector: NDArray[np.float32],
        count: int,
        effort: int,
        wanted: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int64]:
        """Up to `count` distinct positions, 0 to n - 1; see LoadedAnn.query.

        With `wanted`, (n,), of those rows; only where there is a `most_effort`.

        Raises:
            BackendError: the backend raised, or returned anything else.
        """
        asked = vector.view()
        asked.flags.writeable = False  # the caller scores candidates with it afterwards
        try:
            if wanted is None or self._selective is None:
                found = np.asarray(self._ann.query(asked, count, effort))
            else:
                found = np.asarray(self._selective.query_among(asked, count, effort, wanted))
            # For so few numbers Python's set and comparisons are faster than numpy's.
            positions: list[int] = found.tolist() if found.ndim == 1 else [-1]
            sound = (
                len(positions) <= count
                and len(set(positions)) == len(positions)
                and (not positions or 0 <= min(positions) <= max(positions) < self._n)
                and (not positions or found.dtype.kind in "iu")
                and (not positions or wanted is None or bool(wanted[found].all()))
            )
        except MemoryError:
            raise
        except Exception as error:  # a library may raise anything
            raise _failed(self.backend, "query", error) from error
        if not sound:
            raise BackendError(
                f"ANN backend {self.backend.name}: query() expected at most {count} distinct "
                f"positions below {self._n}{' of those wanted' if wanted is not None else ''}, "
                f"got {found.tolist()!r:.80}"
            )
        return found.astype(np.int64, copy=False)

    def close(self) -> None:
        """Unmap the file; no query may follow.

        Raises:
            BackendError: the backend raised.
        """
        with _calls(self.backend, "close"):
            self._ann.close()


def build_ann(backend: AnnBackend, path: Path, rows: RowSource, shape: AnnShape) -> bool:
    """Write a new file durably; False, and no file, where the backend is of no use.

    Raises:
        StorageError: the file could not be written.
        MemoryError: the build did not fit into memory.
        BackendError: the backend raised anything else, or wrote no file.
    """
    with _calls(backend, "build"):
        if not backend.is_available() or not backend.fits(shape):
            return False
        with storage.storage_errors("write", path):
            backend.build(path, rows, shape)
    if path.is_symlink() or not path.is_file():
        raise BackendError(f"ANN backend {backend.name}: build() wrote no file")
    storage.sync_file(path)
    return True


def extend_ann(
    backend: AnnBackend,
    path: Path,
    rows: RowSource,
    shape: AnnShape,
    positions: NDArray[np.int64],
    present: int,
) -> None:
    """Durably turn a file of some rows into one of all; see GrowingBackend.extend.

    A backend that cannot add rows builds anew.

    Raises:
        StorageError, MemoryError, BackendError: see build_ann.
    """
    if isinstance(backend, GrowingBackend):
        with _calls(backend, "extend"), storage.storage_errors("write", path):
            backend.extend(path, rows, shape, positions, present)
        storage.sync_file(path)
    elif not build_ann(backend, path, rows, shape):
        raise BackendError(f"ANN backend {backend.name}: builds no file of {shape.n} rows")


def load_ann(backend: AnnBackend, path: Path, size: int, shape: AnnShape) -> CheckedAnn | None:
    """Load a file of `size` bytes; None where the library is not available.

    Raises:
        IndexCorruptError: it is not a sound file of this shape.
        OSError: it cannot be read.
        BackendError: the backend raised anything else, or returned something else.
    """
    with _calls(backend, "load"):
        if not backend.is_available():
            return None
        loaded = backend.load(path, size, shape)
    if not all(callable(getattr(loaded, method, None)) for method in ("query", "close")):
        raise BackendError(
            f"ANN backend {backend.name}: load() expected an object with query() and close(), got "
            f"{type(loaded).__name__}"
        )
    return CheckedAnn(loaded, backend, shape.n)


def find_ann_problem(backend: AnnBackend, path: Path, shape: AnnShape) -> str | None:
    """Say what is wrong with a file, or with the backend that should judge it; None for nothing."""
    try:
        with _calls(backend, "find_problem"):
            problem = backend.find_problem(path, shape)
    except BackendError as error:
        return str(error)
    return None if problem is None else str(problem)


@contextlib.contextmanager
def _calls(backend: AnnBackend, method: str) -> Generator[None]:
    try:
        yield
    except (EdgeEmbedError, OSError, MemoryError):
        raise
    except Exception as error:  # a library may raise anything
        raise _failed(backend, method, error) from error


def _failed(backend: AnnBackend, method: str, error: Exception) -> BackendError:
    kind = type(error).__name__
    return BackendError(
        f"ANN backend {backend.name}: {method}() raised {kind}: {first_line(error)}"
    )
