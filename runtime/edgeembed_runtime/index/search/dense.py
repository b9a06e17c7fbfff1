"""Dense search: each segment is scanned exactly, or searched approximately where that is faster.

Candidates of an approximate search are scored again exactly, so every score is a true cosine.
"""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.calibration import CALIBRATION_CANDIDATES, SPARE_CANDIDATES
from edgeembed_runtime.index.ann.checked_backend import BackendError, CheckedAnn
from edgeembed_runtime.index.search.fusion import Ranking
from edgeembed_runtime.index.search.scope import Scope
from edgeembed_runtime.index.segments.segment import SegmentInfo
from edgeembed_runtime.index.segments.snapshot import SegmentView, Snapshot
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import TopK, cosines, scan


# Damaged vectors are for verify() to name; numpy's warnings about them would name nothing.
@np.errstate(over="ignore", invalid="ignore")
def rank_by_vectors(
    snapshot: Snapshot, queries: NDArray[np.float32], k: int, scope: Scope, *, exact: bool
) -> list[Ranking]:
    """Rank the k best documents for each query; fewer only where fewer are in scope.

    Args:
        snapshot: the generation to search.
        queries: (m, d) float32, unit length.
        k: hits wanted, at least 1.
        scope: the rows that may be found.
        exact: never search approximately.
    """
    tops = [TopK(k) for _ in queries]
    scan(snapshot.tail, _wanted(snapshot.tail, scope), queries, tops)
    for view in snapshot.segments:
        wanted = _wanted(view.rows, scope)
        wanted_count = int(np.count_nonzero(wanted))
        candidates = None if exact else _candidates_needed(view.segment.info, wanted_count, k)
        ann = None if candidates is None else view.segment.ann()
        if candidates is None or ann is None:
            scan(view.rows, wanted, queries, tops)
            continue
        min_found = min(k, wanted_count)
        for query, top in zip(queries, tops, strict=True):
            if not _search_approximately(view, ann, candidates, wanted, min_found, query, top):
                scan(view.rows, wanted, query[None], [top])
    return [top.pairs() for top in tops]


def _wanted(rows: Rows, scope: Scope) -> NDArray[np.bool_]:
    """(n,) which rows are alive and in scope."""
    if scope.allowed is None and not scope.excluded.size:
        return rows.alive
    wanted = rows.alive.copy()
    if scope.allowed is not None:
        permitted = np.zeros_like(wanted)
        permitted[rows.positions_of(scope.allowed)] = True
        wanted &= permitted
    wanted[rows.positions_of(scope.excluded)] = False
    return wanted


def _candidates_needed(info: SegmentInfo, wanted_count: int, k: int) -> int | None:
    """How many candidates probably hold the k best of the wanted rows; None if a scan is faster.

    Effort, and so time, is assumed to grow with the candidates from what calibration measured.
    """
    if info.backend is None or not wanted_count:
        return None
    candidates = min(k, wanted_count) * info.n // wanted_count + SPARE_CANDIDATES
    slowdown = candidates / CALIBRATION_CANDIDATES
    affordable = max(1.0, (info.exact_ms or 0.0) / (info.ann_ms or np.inf))
    return candidates if slowdown <= affordable else None


def _search_approximately(
    view: SegmentView,
    ann: CheckedAnn,
    count: int,
    wanted: NDArray[np.bool_],
    min_found: int,
    query: NDArray[np.float32],
    top: TopK,
) -> bool:
    """Offer candidates, scored exactly; False if fewer than `min_found` of them are wanted."""
    effort = int(view.segment.info.effort * max(1.0, count / CALIBRATION_CANDIDATES))
    try:
        candidates = ann.query(query, count, effort)
    except BackendError as error:
        view.segment.give_up_ann(error)
        return False
    candidates = candidates[wanted[candidates]]
    if candidates.size < min_found:
        return False
    top.offer(cosines(view.rows.take(candidates), query), view.rows.ids[candidates])
    return True
