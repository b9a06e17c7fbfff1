"""Writes the files of a segment, durably and under fresh names; the commit comes later."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import storage
from edgeembed_runtime.index.ann.held_out import hold_out
from edgeembed_runtime.index.ann.selection import ChosenAnn, choose_ann
from edgeembed_runtime.index.base.layout import SEGMENTS
from edgeembed_runtime.index.base.settings import EXACT, IndexSettings
from edgeembed_runtime.index.segments.segment import SegmentFile
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.mmap import MappedFile
from edgeembed_runtime.index.vectors.sq8 import write_sq8
from edgeembed_runtime.index.vectors.sq8_scan import Sq8Scan

# 4096 rows x 384 floats = 6 MB at a time.
_CHUNK_ROWS = 4096
# Fewer rows are scanned in float32 before an SQ8 session would be ready.
_MIN_SQ8_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A segment whose files are durable, but which the catalog does not name yet."""

    uuid: str
    ids: NDArray[np.int64]
    exact_ms: float | None
    ann: ChosenAnn | None
    files: dict[str, SegmentFile]


def write_segment(
    directory: Path,
    sources: Sequence[Rows],
    dim: int,
    settings: IndexSettings,
    *,
    build_ann: bool,
) -> Sealed | None:
    """Write the rows of some blocks that are alive as one new segment; None if there are none.

    Rows are copied in pieces, so memory stays flat, except for what an ANN build needs.

    Raises:
        StorageError: the disk is full or failed; what was written is garbage-collected later.
        MemoryError: an ANN build did not fit into memory.
    """
    name = uuid.uuid4().hex
    folder = directory / SEGMENTS
    owner, position, ids = _merged_order(sources)
    if not ids.size:
        return None
    path = folder / f"{name}.f32"
    ids_path = folder / f"{name}.ids"
    files = {
        "f32": _entry(path, *storage.write_stream(path, _pieces(sources, owner, position, dim))),
        "ids": _entry(ids_path, *storage.write_stream(ids_path, [_bytes_of(ids)])),
    }
    with path.open("rb") as file:
        mapped = MappedFile(file, path)
    vectors: NDArray[np.float32] = mapped.array("<f4", ids.size * dim).reshape(ids.size, dim)
    sq8 = None
    exact_ms = None
    if ids.size >= _MIN_SQ8_ROWS:
        path = folder / f"{name}.i8"
        files["i8"] = _entry(path, *write_sq8(path, vectors, mapped.release))
        sq8 = Sq8Scan(path, sha256=files["i8"].sha256, n=ids.size, dim=dim)
    alive = np.ones(ids.size, dtype=np.bool_)
    rows = Rows(ids=ids, vectors=vectors, alive=alive, sq8=sq8, mapped=mapped)
    ann = None
    if build_ann and ids.size >= settings.ann_min_rows and settings.backend != EXACT:
        held_out = hold_out(rows, settings.recall_floor)
        exact_ms = None if held_out is None else held_out.exact_ms
        ann = None if held_out is None else choose_ann(folder, name, rows, held_out, settings)
        if ann is not None:
            path = folder / f"{name}.{ann.suffix}"
            files[ann.suffix] = _entry(path, path.stat().st_size, storage.sha256_file(path))
    storage.sync_directory(folder)
    return Sealed(
        uuid=name,
        ids=ids,
        exact_ms=exact_ms,
        ann=ann,
        files=files,
    )


def _bytes_of(ids: NDArray[np.int64]) -> memoryview:
    return ids.astype("<i8", copy=False).data.cast("B")


def _entry(path: Path, size: int, sha256: str) -> SegmentFile:
    return SegmentFile(name=path.name, bytes=size, sha256=sha256)


def _merged_order(
    sources: Sequence[Rows],
) -> tuple[NDArray[np.uint16], NDArray[np.uint32], NDArray[np.int64]]:
    """For each row that is alive, ascending by id: its source, its position there, and its id."""
    # Small numbers, filled in place: there may be millions, and a merge is no reason for memory.
    counts = [int(np.count_nonzero(source.alive)) for source in sources]
    owner = np.repeat(np.arange(len(sources), dtype=np.uint16), counts)
    position = np.empty(owner.size, np.uint32)
    merged = np.empty(owner.size, np.int64)
    end = 0
    for source, count in zip(sources, counts, strict=True):
        part = slice(end, end + count)
        end += count
        if count == source.ids.size:
            position[part], merged[part] = np.arange(count, dtype=np.uint32), source.ids
        else:
            alive = np.flatnonzero(source.alive)
            position[part], merged[part] = alive, source.ids[alive]
    if (merged[1:] > merged[:-1]).all():  # each source continues the one before
        return owner, position, merged
    order = np.argsort(merged, kind="stable")
    return owner[order], position[order], merged[order]


def _pieces(
    sources: Sequence[Rows], owner: NDArray[np.uint16], position: NDArray[np.uint32], dim: int
) -> Iterator[bytes]:
    for start in range(0, owner.size, _CHUNK_ROWS):
        owners = owner[start : start + _CHUNK_ROWS]
        positions = position[start : start + _CHUNK_ROWS].astype(np.intp)
        piece = np.empty((owners.size, dim), dtype="<f4")
        for index, source in enumerate(sources):
            mine = owners == index
            if mine.any():
                piece[mine] = source.take(positions[mine])
        yield piece.tobytes()
