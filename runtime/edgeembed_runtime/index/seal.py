"""Writing one segment: files first, durable and under fresh names; the catalog comes later."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.annoy_file import MAX_ROWS, build_annoy, leaf_capacity, load_annoy
from edgeembed_runtime.index.calibrate import Measured, measure
from edgeembed_runtime.index.layout import SEGMENTS
from edgeembed_runtime.index.segment import Rows, SegmentFile
from edgeembed_runtime.index.settings import IndexSettings

# 4096 rows x 384 floats = 6 MB at a time.
_CHUNK_ROWS = 4096
# Fixed: on one machine, the same rows give the same trees, byte for byte.
_SEED = 20_111_007


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A segment whose files are on disk and durable, and that no catalog names yet."""

    uuid: str
    ids: NDArray[np.int64]
    seed: int
    trees: int
    measured: Measured | None
    files: dict[str, SegmentFile]


def write_segment(
    directory: Path, sources: Sequence[Rows], dim: int, settings: IndexSettings
) -> Sealed | None:
    """Write the living rows of some blocks as one new segment; None where there are none.

    Memory stays flat but for the trees: rows are copied in pieces.

    Raises:
        StorageError: the disk is full or failed; what was written is collected later.
        IndexCorruptError: the disk gave back trees other than those written.
    """
    name = uuid.uuid4().hex
    folder = directory / SEGMENTS
    owner, position, ids = _merged_order(sources)
    if not ids.size:
        return None
    vectors_path = folder / f"{name}.f32"
    pieces = _pieces(sources, owner, position, dim)
    files = {
        "f32": _entry(vectors_path, storage.write_stream(vectors_path, pieces)),
        "ids": _entry(
            folder / f"{name}.ids",
            storage.write_stream(folder / f"{name}.ids", [ids.astype("<i8").tobytes()]),
        ),
    }
    vectors: NDArray[np.float32] = np.memmap(
        vectors_path, dtype="<f4", mode="r", shape=(ids.size, dim)
    )
    rows = Rows(ids=ids, vectors=vectors, alive=np.ones(ids.size, dtype=np.bool_))
    measured = _plant(folder / f"{name}.ann", rows, settings)
    if measured is not None and measured.use_annoy:
        path = folder / f"{name}.ann"
        files["ann"] = _entry(path, (path.stat().st_size, storage.sha256_file(path)))
    storage.sync_directory(folder)
    return Sealed(
        uuid=name,
        ids=ids,
        seed=_SEED,
        trees=settings.annoy_trees if "ann" in files else 0,
        measured=measured,
        files=files,
    )


def _entry(path: Path, written: tuple[int, str]) -> SegmentFile:
    return SegmentFile(name=path.name, bytes=written[0], sha256=written[1])


def _merged_order(
    sources: Sequence[Rows],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    """For each living row, ascending by id: which source, which position in it, which id."""
    positions = [np.flatnonzero(source.alive) for source in sources]
    owners = [np.full(p.size, index, dtype=np.intp) for index, p in enumerate(positions)]
    ids = [source.ids[p] for source, p in zip(sources, positions, strict=True)]
    if not ids:
        empty = np.empty(0, dtype=np.intp)
        return empty, empty, np.empty(0, dtype=np.int64)
    merged = np.concatenate(ids)
    order = np.argsort(merged, kind="stable")
    return np.concatenate(owners)[order], np.concatenate(positions)[order], merged[order]


def _pieces(
    sources: Sequence[Rows], owner: NDArray[np.intp], position: NDArray[np.intp], dim: int
) -> Iterator[bytes]:
    for start in range(0, owner.size, _CHUNK_ROWS):
        owners = owner[start : start + _CHUNK_ROWS]
        positions = position[start : start + _CHUNK_ROWS]
        piece = np.empty((owners.size, dim), dtype="<f4")
        for index, source in enumerate(sources):
            mine = owners == index
            if mine.any():
                piece[mine] = source.vectors[positions[mine]]
        yield piece.tobytes()


def _plant(path: Path, rows: Rows, settings: IndexSettings) -> Measured | None:
    """Build and measure trees; the file stays only where they are worth using."""
    n, dim = rows.vectors.shape
    smallest = max(settings.annoy_min_rows, leaf_capacity(dim) + 1)
    if settings.backend == "exact" or not smallest <= n <= MAX_ROWS:
        return None
    trees = settings.annoy_trees
    if not build_annoy(path, rows.vectors, trees=trees, seed=_SEED):
        return None
    annoy = load_annoy(path, size=path.stat().st_size, dim=dim, n=n, trees=trees)
    if annoy is None:
        raise IndexCorruptError(f"{path}: Annoy stopped working between building and loading")
    measured = measure(rows, annoy, settings, _SEED)
    annoy.close()
    if not measured.use_annoy:
        storage.remove_file(path)
    return measured
