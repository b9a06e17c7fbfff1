"""Decides when to seal the tail, which segments to merge with it, and when to purge dead rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.index.segments.snapshot import SegmentView, Snapshot
from edgeembed_runtime.index.vectors.block import Rows

# So many segments of a size class are merged into one of the next. Each of n rows is copied at most
# log4(n / seal_rows) times, and a class never has more than three segments (10 for a million rows).
_FAN = 4
_DEAD_PART = 0.25


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a rewrite does."""

    merge: Sequence[SegmentView]
    """Segments that the new one replaces."""
    seal_tail: bool
    """Whether the rows of the tail go into the new segment."""
    purge: bool
    """Whether dead rows are removed permanently."""
    build_ann: bool = False
    """Whether to build an ANN file, which takes long."""


def maintenance_plan(snapshot: Snapshot, dead: int, settings: IndexSettings) -> Plan | None:
    """What to do after a commit; None for nothing.

    Args:
        snapshot: the current generation.
        dead: rows of the document table that are dead and not purged.
        settings: seal_rows.
    """
    many_dead = dead > max(settings.seal_rows / 8, _DEAD_PART * (dead + snapshot.documents))
    deleted = (
        [view for view in snapshot.segments if _has_many_deletes(view.rows)] if many_dead else []
    )
    tail_alive = snapshot.tail.alive.size - snapshot.tail.dead
    tail_full = snapshot.tail.alive.size >= settings.seal_rows
    # A tail that is mostly dead is cleared, not sealed: a key upserted over and over stays one row.
    seal = tail_full and tail_alive * 2 >= settings.seal_rows
    if not seal and not tail_full and not many_dead:
        return None
    rows = tail_alive if seal else 0
    merge = _with_size_peers(snapshot.segments, deleted, rows, settings.seal_rows)
    return Plan(merge=merge, seal_tail=seal, purge=bool(merge) or many_dead or not seal)


def _has_many_deletes(rows: Rows) -> bool:
    return rows.dead > _DEAD_PART * rows.alive.size


def _with_size_peers(
    segments: Sequence[SegmentView], deleted: Sequence[SegmentView], rows: int, unit: int
) -> list[SegmentView]:
    """Add every full size class that a segment of `rows` and of `deleted` reaches."""
    merge = list(deleted)
    rows += sum(_alive(view) for view in deleted)
    while rows:
        size_class = _size_class(rows, unit)
        peers = [
            v for v in segments if v not in merge and _size_class(_alive(v), unit) <= size_class
        ]
        if len(peers) < _FAN - 1:
            return merge
        merge += peers
        rows += sum(_alive(view) for view in peers)
    return merge


def _alive(view: SegmentView) -> int:
    return int(np.count_nonzero(view.rows.alive))


def _size_class(rows: int, unit: int) -> int:
    size_class = 0
    while rows >= unit * _FAN:
        rows //= _FAN
        size_class += 1
    return size_class
