"""An immutable view of one generation of an index: its segments, tail, and rows that are alive."""

import dataclasses
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.base.layout import CATALOG
from edgeembed_runtime.index.catalog.catalog import meta_int
from edgeembed_runtime.index.catalog.documents import dead_docids
from edgeembed_runtime.index.segments.filtered_rows import FilteredRows
from edgeembed_runtime.index.segments.segment import Segment, SegmentInfo, read_infos
from edgeembed_runtime.index.vectors.block import Rows


@dataclass(frozen=True, kw_only=True)
class SegmentView:
    """A sealed segment and which of its rows are alive."""

    segment: Segment
    rows: Rows


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that a search needs, except the documents."""

    generation: int
    epoch: int
    """Changes whenever rows leave the tail."""
    segments: tuple[SegmentView, ...]
    tail: Rows
    filtered: FilteredRows = field(default_factory=FilteredRows, compare=False)

    @property
    def blocks(self) -> tuple[Rows, ...]:
        """The tail and every segment."""
        return (self.tail, *(view.rows for view in self.segments))

    def vectors_of(self, docids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of document rows, in the order of `docids`: (n, d) float32.

        Raises:
            IndexCorruptError: a row has no vector.
        """
        found = np.empty((len(docids), self.tail.vectors.shape[1]), np.float32)
        missing = np.ones(len(docids), np.bool_)
        order = np.argsort(docids)
        for rows in self.blocks:
            here = np.isin(docids[order], rows.ids)
            found[order[here]] = rows.take(rows.positions_of(docids[order]))
            missing[order[here]] = False
        if missing.any():
            raise IndexCorruptError(f"document row {docids[missing][0]} has no vector")
        return found

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return sum(int(np.count_nonzero(rows.alive)) for rows in self.blocks)


def load_snapshot(
    connection: sqlite3.Connection, directory: Path, dim: int, previous: Snapshot | None
) -> Snapshot:
    """Read the current generation; must run inside a read transaction.

    What `previous` has open is reused, so following a writer costs only what has changed.

    Raises:
        IndexCorruptError: the catalog contradicts itself or a file.
    """
    generation = meta_int(connection, "gen")
    if previous is not None and previous.generation == generation:
        return previous
    epoch = meta_int(connection, "epoch")
    infos = read_infos(connection, directory)
    known = {view.segment.info.uuid: view for view in previous.segments} if previous else {}
    same_tail = previous is not None and previous.epoch == epoch
    if previous is not None and same_tail and all(info.uuid in known for info in infos):
        views = tuple(known[info.uuid] for info in infos)
        tail = _extended(previous.tail, _read_tail(connection, directory, dim, previous.tail))
        dead = dead_docids(connection, since=previous.generation)
    else:
        views = tuple(_opened(directory, info, dim, known.get(info.uuid)) for info in infos)
        tail = _read_tail(connection, directory, dim, None)
        dead = dead_docids(connection)
    return Snapshot(
        generation=generation,
        epoch=epoch,
        segments=tuple(
            SegmentView(segment=view.segment, rows=_without(view.rows, dead)) for view in views
        ),
        tail=_without(tail, dead),
    )


def _opened(directory: Path, info: SegmentInfo, dim: int, known: SegmentView | None) -> SegmentView:
    if known is not None:
        return known
    segment = Segment(directory, info, dim)
    alive = np.ones(info.n, dtype=np.bool_)
    return SegmentView(
        segment=segment,
        rows=Rows(
            ids=segment.ids,
            vectors=segment.vectors,
            alive=alive,
            sq8=segment.sq8,
            mapped=segment.mapped,
        ),
    )


def _read_tail(
    connection: sqlite3.Connection, directory: Path, dim: int, known: Rows | None
) -> Rows:
    last = int(known.ids[-1]) if known is not None and known.ids.size else -1
    found: list[tuple[int, Any, int]] = connection.execute(
        "SELECT docid, vec, crc32 FROM tail WHERE docid > ? ORDER BY docid", (last,)
    ).fetchall()
    for docid, blob, crc32 in found:
        if not _is_sound(blob, crc32, dim):
            raise IndexCorruptError(
                f"{directory / CATALOG}: the vector of row {docid} is damaged; "
                f"restore the index from a backup"
            )
    return _tail_of({docid: blob for docid, blob, _ in found}, dim)


def sound_tail(connection: sqlite3.Connection, dim: int) -> Rows:
    """The rows of the tail that are not damaged."""
    found = connection.execute("SELECT docid, vec, crc32 FROM tail ORDER BY docid")
    return _tail_of({d: blob for d, blob, crc32 in found if _is_sound(blob, crc32, dim)}, dim)


def _is_sound(blob: object, crc32: object, dim: int) -> bool:
    return isinstance(blob, bytes) and len(blob) == dim * 4 and zlib.crc32(blob) == crc32


def _tail_of(blobs: Mapping[int, bytes], dim: int) -> Rows:
    return Rows(
        ids=np.array(list(blobs), dtype=np.int64),
        vectors=np.frombuffer(b"".join(blobs.values()), dtype="<f4").reshape(-1, dim),
        alive=np.ones(len(blobs), dtype=np.bool_),
    )


def _extended(rows: Rows, fresh: Rows) -> Rows:
    if not fresh.ids.size:
        return rows
    return Rows(
        ids=np.concatenate([rows.ids, fresh.ids]),
        vectors=np.concatenate([rows.vectors, fresh.vectors]),
        alive=np.concatenate([rows.alive, fresh.alive]),
    )


def _without(rows: Rows, dead: NDArray[np.int64]) -> Rows:
    positions = rows.positions_of(dead)
    if not positions.size:
        return rows
    alive = rows.alive.copy()
    alive[positions] = False
    return dataclasses.replace(rows, alive=alive)
