"""Chooses the ANN backend of a segment, if any: builds and measures those that are allowed."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexCorruptError, StorageError
from edgeembed_runtime.index.ann.backend import AnnBackend, AnnShape
from edgeembed_runtime.index.ann.calibration import Measured, measure_ann
from edgeembed_runtime.index.ann.checked_backend import (
    BackendError,
    CheckedAnn,
    build_ann,
    extend_ann,
    load_ann,
)
from edgeembed_runtime.index.ann.effort import Efforts
from edgeembed_runtime.index.ann.held_out import HeldOut, KeptRows
from edgeembed_runtime.index.ann.registry import allowed_backends
from edgeembed_runtime.index.base.settings import AUTO, IndexSettings
from edgeembed_runtime.index.vectors.block import Rows

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ChosenAnn:
    """The backend that a segment keeps, as calibrated."""

    backend: str
    suffix: str
    build_parameter: int
    efforts: Efforts
    ms: float


def choose_ann(
    folder: Path, name: str, rows: Rows, held_out: HeldOut, settings: IndexSettings
) -> ChosenAnn | None:
    """Build a file `name`.* in a folder with the first backend that is good enough; None for none.

    Each is calibrated without the rows held out, which are added afterwards. A backend that breaks
    its contract is left out with a warning.

    Raises:
        InputError: settings that no registered backend can meet.
        StorageError: the file system refused, or gave back another file than the one written.
        MemoryError: a build did not fit into memory.
    """
    # Not the best of all: a graph takes twelve times as long to build as lists that beat it.
    max_ms = held_out.exact_ms if settings.backend == AUTO else np.inf
    for backend in allowed_backends(settings):
        path = folder / f"{name}.{backend.suffix}"
        found = _calibrated(path, backend, rows, held_out, settings, max_ms)
        if found is not None:
            return found
    return None


def _calibrated(
    path: Path,
    backend: AnnBackend,
    rows: Rows,
    held_out: HeldOut,
    settings: IndexSettings,
    max_ms: float,
) -> ChosenAnn | None:
    """Build a file and measure it; no file stays if it is not worth using."""
    n, dim = rows.vectors.shape
    parameter = settings.build_parameter
    if parameter is None:
        parameter = backend.default_build_parameter
    part = AnnShape(n=held_out.kept.size, dim=dim, build_parameter=parameter)
    shape = AnnShape(n=n, dim=dim, build_parameter=parameter)
    try:
        if not build_ann(backend, path, KeptRows(rows, held_out.kept), part):
            return None
        measured = _measured(path, backend, part, rows, held_out, settings, max_ms)
        if measured is None or measured.ms > max_ms:
            _LOG.info("%s is not worth using: %s", backend.name, measured)
            _remove(path)
            return None
        positions = np.concatenate([held_out.kept, held_out.held])
        extend_ann(backend, path, rows, shape, positions, part.n)
        _load(backend, path, shape).close()
    except BackendError as error:
        _LOG.warning("%s is left out: %s", backend.name, error)
        _remove(path)
        return None
    return ChosenAnn(
        backend=backend.name,
        suffix=backend.suffix,
        build_parameter=parameter,
        efforts=measured.efforts,
        ms=measured.ms,
    )


def _measured(
    path: Path,
    backend: AnnBackend,
    part: AnnShape,
    rows: Rows,
    held_out: HeldOut,
    settings: IndexSettings,
    max_ms: float,
) -> Measured | None:
    loaded = _load(backend, path, part)
    try:
        return measure_ann(
            rows,
            loaded,
            held_out,
            floor=settings.recall_floor,
            first_effort=backend.first_effort,
            max_ms=max_ms,
        )
    finally:
        loaded.close()


def _load(backend: AnnBackend, path: Path, shape: AnnShape) -> CheckedAnn:
    try:
        loaded = load_ann(backend, path, path.stat().st_size, shape)
    except BackendError:
        raise
    except IndexCorruptError as error:
        # usearch does not notice that a disk is full.
        raise StorageError(
            f"could not write {path}: {backend.name} reads back something else than it wrote "
            f"({error}); free some space and try again"
        ) from error
    if loaded is None:
        raise BackendError(f"ANN backend {backend.name}: not available after a build")
    return loaded


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        storage.remove_file(path)
