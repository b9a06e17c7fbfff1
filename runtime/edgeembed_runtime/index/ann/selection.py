"""Chooses the ANN backend of a segment, if any: builds and measures all that are allowed."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexCorruptError, StorageError
from edgeembed_runtime.index.ann.backend import AnnBackend, AnnShape
from edgeembed_runtime.index.ann.calibration import GroundTruth, Measured, measure_ann
from edgeembed_runtime.index.ann.checked_backend import (
    BackendError,
    CheckedAnn,
    build_ann,
    load_ann,
)
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
    effort: int
    recall: float
    ms: float


def choose_ann(
    folder: Path, name: str, rows: Rows, truth: GroundTruth, settings: IndexSettings
) -> ChosenAnn | None:
    """Build files `name`.* in a folder and keep the fastest that is good enough; None for none.

    A backend that breaks its contract is left out with a warning.

    Raises:
        InputError: settings that no registered backend can meet.
        StorageError: the file system refused, or gave back another file than the one written.
        MemoryError: a build did not fit into memory.
    """
    best: ChosenAnn | None = None
    max_ms = truth.median_ms if settings.backend == AUTO else np.inf
    for backend in allowed_backends(settings):
        path = folder / f"{name}.{backend.suffix}"
        found = _calibrated(path, backend, rows, truth, settings, max_ms)
        if found is None:
            continue
        if best is not None:
            storage.remove_file(folder / f"{name}.{best.suffix}")
        best, max_ms = found, found.ms
    return best


def _calibrated(
    path: Path,
    backend: AnnBackend,
    rows: Rows,
    truth: GroundTruth,
    settings: IndexSettings,
    max_ms: float,
) -> ChosenAnn | None:
    """Build a file and measure it; no file stays if it is not worth using."""
    n, dim = rows.vectors.shape
    parameter = settings.build_parameter
    if parameter is None:
        parameter = backend.default_build_parameter
    shape = AnnShape(n=n, dim=dim, build_parameter=parameter)
    try:
        if not build_ann(backend, path, rows, shape):
            return None
        loaded = _load(backend, path, shape)
        try:
            measured = measure_ann(
                rows,
                loaded,
                truth,
                floor=settings.recall_floor,
                first_effort=backend.first_effort,
                max_ms=max_ms,
            )
        finally:
            loaded.close()
    except BackendError as error:
        _LOG.warning("%s is left out: %s", backend.name, error)
        _remove(path)
        return None
    if measured.recall < settings.recall_floor or measured.ms > max_ms:
        _LOG.info("%s is not worth using: %s", backend.name, measured)
        _remove(path)
        return None
    return _chosen(backend, parameter, measured)


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


def _chosen(backend: AnnBackend, parameter: int, measured: Measured) -> ChosenAnn:
    return ChosenAnn(
        backend=backend.name,
        suffix=backend.suffix,
        build_parameter=parameter,
        effort=measured.effort,
        recall=measured.recall,
        ms=measured.ms,
    )
