"""Search by vector: which segments are scanned exactly, and which are asked through Annoy."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.segment import Rows
from edgeembed_runtime.index.snapshot import SegmentView, Snapshot
from edgeembed_runtime.index.topk import TopK, cosines, scan

Ranking = list[tuple[int, float]]
"""(row id, score), best first."""

# A filter that leaves fewer rows of a segment than this is answered by scanning just those.
_SELECTIVE_ROWS = 50_000
# Candidates beyond k that are asked of Annoy, against rows that turn out dead.
_SPARE = 16
# What search_k was measured at when the segment was sealed: 10 neighbours and the spare.
MEASURED_ASK = 10 + _SPARE
_ATTEMPTS = 3
# Asking for more than this part of a segment costs Annoy more than the exact scan.
_LARGEST_PART = 4


def rank(
    snapshot: Snapshot,
    queries: NDArray[np.float32],
    k: int,
    *,
    exact: bool,
    allowed: NDArray[np.int64] | None,
    excluded: NDArray[np.int64],
) -> list[Ranking]:
    """Best k documents for each of (m, d) unit queries; fewer only where there are fewer.

    Args:
        snapshot: the generation to search.
        queries: (m, d) float32, unit length.
        k: hits wanted, at least 1.
        exact: never use Annoy.
        allowed: sorted row ids that may be found, or None for all.
        excluded: row ids that may not be found.
    """
    tops = [TopK(k) for _ in queries]
    tail_wanted = _wanted(snapshot.tail, allowed, excluded)
    scan(snapshot.tail, tail_wanted, queries, tops)
    for view in snapshot.segments:
        wanted = _wanted(view.rows, allowed, excluded)
        few = allowed is not None and np.count_nonzero(wanted) < _SELECTIVE_ROWS
        if exact or few or view.segment.annoy() is None:
            scan(view.rows, wanted, queries, tops)
            continue
        for query, top in zip(queries, tops, strict=True):
            if not _approximate(view, wanted, query, top):
                scan(view.rows, wanted, query[None], [top])
    return [top.pairs() for top in tops]


def _wanted(
    rows: Rows, allowed: NDArray[np.int64] | None, excluded: NDArray[np.int64]
) -> NDArray[np.bool_]:
    if allowed is None and not excluded.size:
        return rows.alive
    wanted = rows.alive.copy()
    if allowed is not None:
        permitted = np.zeros_like(wanted)
        permitted[rows.positions_of(allowed)] = True
        wanted &= permitted
    wanted[rows.positions_of(excluded)] = False
    return wanted


def _approximate(
    view: SegmentView, wanted: NDArray[np.bool_], query: NDArray[np.float32], top: TopK
) -> bool:
    """Offer Annoy's candidates, scored exactly; False where they were too few."""
    annoy, rows = view.segment.annoy(), view.rows
    left = int(np.count_nonzero(wanted))
    if annoy is None or not left:
        return not left
    need = min(top.k, left)
    ask = need * wanted.size // left + _SPARE
    for _ in range(_ATTEMPTS):
        if ask * _LARGEST_PART > wanted.size:
            return False
        search_k = view.segment.info.search_k * max(1.0, ask / MEASURED_ASK)
        near = annoy.query(query.tolist(), ask, min(int(search_k), 1 << 30))
        near = near[wanted[near]]
        if near.size >= need:
            top.offer(cosines(rows.vectors[near], query), rows.ids[near])
            return True
        ask *= 2
    return False
