"""Which approximate search a segment gets, if any: all that are allowed are built and measured."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexCorruptError, StorageError
from edgeembed_runtime.index.ann.backend import AnnBackend, AnnName, AnnShape
from edgeembed_runtime.index.ann.backends import BACKENDS
from edgeembed_runtime.index.ann.calibration import GroundTruth, Measured, measure_ann
from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.index.vectors.block import Rows

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ChosenAnn:
    """The approximate search that a segment keeps, as measured."""

    backend: AnnName
    role: str
    trees: int
    effort: int
    recall: float
    ms: float


def choose_ann(
    folder: Path, name: str, rows: Rows, truth: GroundTruth, settings: IndexSettings
) -> ChosenAnn | None:
    """Build files `name`.* in a folder and keep the fastest that is good enough; None for none.

    Raises:
        StorageError: the file system refused, or gave back another file than the one written.
        IndexCorruptError: a library stopped working.
    """
    best: ChosenAnn | None = None
    at_most_ms = truth.median_ms if settings.backend == "auto" else np.inf
    for backend in _allowed(settings):
        path = folder / f"{name}.{backend.role}"
        found = _build(path, backend, rows, truth, settings, at_most_ms)
        if found is None:
            continue
        if best is not None:
            storage.remove_file(folder / f"{name}.{best.role}")
        best, at_most_ms = found, found.ms
    return best


def _allowed(settings: IndexSettings) -> list[AnnBackend]:
    return [b for b in BACKENDS.values() if settings.backend in ("auto", b.name)]


def _build(
    path: Path,
    backend: AnnBackend,
    rows: Rows,
    truth: GroundTruth,
    settings: IndexSettings,
    at_most_ms: float,
) -> ChosenAnn | None:
    """Build a file and measure it; without one where it is not worth using."""
    n, dim = rows.vectors.shape
    trees = settings.annoy_trees if backend.name == "annoy" else 0
    shape = AnnShape(n=n, dim=dim, trees=trees)
    if not backend.fits(shape) or not backend.build(path, rows, shape):
        return None
    try:
        loaded = backend.load(path, path.stat().st_size, shape)
    except IndexCorruptError as error:
        # usearch does not notice that a disk is full.
        raise StorageError(
            f"could not write {path}: other bytes are there than were written ({error}); free some "
            f"space and try again"
        ) from error
    if loaded is None:
        raise IndexCorruptError(f"{path}: {backend.name} stopped working after it was built")
    try:
        measured = measure_ann(
            rows,
            loaded,
            truth,
            floor=settings.recall_floor,
            first_effort=backend.first_effort,
            at_most_ms=at_most_ms,
        )
    finally:
        loaded.close()
    if measured.recall < settings.recall_floor or measured.ms > at_most_ms:
        storage.remove_file(path)
        _LOG.info("%s is not worth using: %s", backend.name, measured)
        return None
    return _chosen(backend, trees, measured)


def _chosen(backend: AnnBackend, trees: int, measured: Measured) -> ChosenAnn:
    return ChosenAnn(
        backend=backend.name,
        role=backend.role,
        trees=trees,
        effort=measured.effort,
        recall=measured.recall,
        ms=measured.ms,
    )
