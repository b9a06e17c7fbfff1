"""What an approximate nearest neighbor (ANN) library must provide to search a segment.

A backend has everything about one library: its name, its file, its settings, and whether it works
here. `registry.py` says which backends there are; nothing else names one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class AnnShape:
    """What a file was built from; a backend checks the file against it."""

    n: int
    dim: int
    build_parameter: int
    """What the backend was built with; see AnnBackend.build_parameters."""


class RowSource(Protocol):
    """The vectors of a segment, on disk: (n, dim) float32 of unit length."""

    def take(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Copy the rows at some positions, 0 to n - 1, into memory: (len(positions), dim)."""
        ...


class LoadedAnn(Protocol):
    """A validated, loaded file. Many threads may query it at once."""

    def query(self, vector: NDArray[np.float32], count: int, effort: int) -> NDArray[np.int64]:
        """Up to `count` distinct positions near a (dim,) unit vector; more `effort`, more recall.

        The caller scores them again, so the order does not matter.
        """
        ...

    def close(self) -> None:
        """Unmap the file, so that Windows can remove it; no query may follow."""
        ...


@runtime_checkable
class SelectiveAnn(LoadedAnn, Protocol):
    """A loaded file that can be searched among some of its rows. Not a must."""

    @property
    def most_effort(self) -> int:
        """The effort from which on a query looks at every row."""
        ...

    def query_among(
        self, vector: NDArray[np.float32], count: int, effort: int, wanted: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Like `query`, among the positions where `wanted`, (n,), is true."""
        ...


class AnnBackend(Protocol):
    """An ANN library, whether it is installed or not."""

    @property
    def name(self) -> str:
        """What IndexSettings.backend and the catalog call it: [a-z][a-z0-9_]*, 32 at most."""
        ...

    @property
    def suffix(self) -> str:
        """Of its file in a segment, without the dot, and that file's role: [a-z0-9], 16 at most."""
        ...

    @property
    def build_parameters(self) -> range:
        """The values of the one number that a build depends on, such as a forest's trees.

        range(0, 1) where there is none.
        """
        ...

    @property
    def default_build_parameter(self) -> int:
        """Its value unless IndexSettings.build_parameter says otherwise."""
        ...

    @property
    def first_effort(self) -> int:
        """The effort, at least 1, at which calibration starts."""
        ...

    def is_available(self) -> bool:
        """Whether the library is installed and works on this machine."""
        ...

    def fits(self, shape: AnnShape) -> bool:
        """Whether the library can hold this many rows, and is worth using for so few."""
        ...

    def build(self, path: Path, rows: RowSource, shape: AnnShape) -> None:
        """Write a new file; the caller syncs it. Only called where the library is available.

        Raises:
            OSError: the file could not be written.
            MemoryError: the build did not fit into memory.
        """
        ...

    def find_problem(self, path: Path, shape: AnnShape) -> str | None:
        """Say why the library must not load a file; None if every query of it is safe and ends.

        Must not need the library.
        """
        ...

    def load(self, path: Path, size: int, shape: AnnShape) -> LoadedAnn:
        """Validate a file of `size` bytes and load it. Only called where the library is available.

        Raises:
            IndexCorruptError: it is not a sound file of this shape.
            OSError: it cannot be read.
        """
        ...


@runtime_checkable
class GrowingBackend(AnnBackend, Protocol):
    """A backend that can add rows to a file, which saves building twice. Not a must."""

    def extend(
        self,
        path: Path,
        rows: RowSource,
        shape: AnnShape,
        positions: NDArray[np.int64],
        present: int,
    ) -> None:
        """Turn a file of some rows, built and loaded before, into a file of all rows.

        Args:
            path: of the file, which is replaced.
            rows: all rows.
            shape: what the new file is.
            positions: (n,) where in `rows` the rows of the old file are, in their order, and then
                where those to add are. In the new file each row has this position.
            present: how many are in the old file.

        Raises:
            OSError: the file could not be read or written.
            MemoryError: it did not fit into memory.
        """
        ...
