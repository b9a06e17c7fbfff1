"""When a tail is sealed, which segments are merged with it, and when dead rows are purged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.index.segments.snapshot import SegmentView, Snapshot
from edgeembed_runtime.index.vectors.block import Rows

# Segments of one size class that make one of the next: n rows are copied log4(n / seal_rows)
# times at most, and there are never more than three segments of a class (10 for a million rows).
_FAN = 4
_DEAD_PART = 0.25


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one rewrite does."""

    merge: Sequence[SegmentView]
    """Segments that give way to the new one."""
    seal_tail: bool
    """Whether the tail's living rows go into the new segment."""
    purge: bool
    """Whether rows that died are removed for good."""
    build_ann: bool = False
    """Whether an approximate search may be built, which takes long."""


def maintenance_plan(snapshot: Snapshot, dead: int, settings: IndexSettings) -> Plan | None:
    """What there is to do after a commit; None for nothing.

    Args:
        snapshot: the current generation.
        dead: rows of the document table that died and were not purged.
        settings: seal_rows.
    """
    too_dead = dead > max(settings.seal_rows / 8, _DEAD_PART * (dead + snapshot.documents))
    worn = [view for view in snapshot.segments if _has_many_deletes(view.rows)] if too_dead else []
    tail_alive = snapshot.tail.alive.size - snapshot.tail.dead
    tail_full = snapshot.tail.alive.size >= settings.seal_rows
    # A tail that is mostly dead is cleared, not sealed: one key upserted for ever stays one row.
    seal = tail_full and tail_alive * 2 >= settings.seal_rows
    if not seal and not tail_full and not too_dead:
        return None
    rows = tail_alive if seal else 0
    merge = _with_equals(snapshot.segments, worn, rows, settings.seal_rows)
    return Plan(merge=merge, seal_tail=seal, purge=bool(merge) or too_dead or not seal)


def _has_many_deletes(rows: Rows) -> bool:
    return rows.dead > _DEAD_PART * rows.alive.size


def _with_equals(
    segments: Sequence[SegmentView], worn: Sequence[SegmentView], rows: int, unit: int
) -> list[SegmentView]:
    """Add every full size class that the new segment of `rows` (plus the worn ones) reaches."""
    merge = list(worn)
    rows += sum(_alive(view) for view in worn)
    while rows:
        size_class = _class(rows, unit)
        peers = [v for v in segments if v not in merge and _class(_alive(v), unit) <= size_class]
        if len(peers) < _FAN - 1:
            return merge
        merge += peers
        rows += sum(_alive(view) for view in peers)
    return merge


def _alive(view: SegmentView) -> int:
    return int(np.count_nonzero(view.rows.alive))


def _class(rows: int, unit: int) -> int:
    size_class = 0
    while rows >= unit * _FAN:
        rows //= _FAN
        size_class += 1
    return size_class
