"""Dense search: each segment is scanned exactly, or searched approximately where that is faster.

Candidates of an approximate search are scored again exactly, so every score is a true cosine.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.calibration import candidates_for
from edgeembed_runtime.index.ann.checked_backend import BackendError, CheckedAnn
from edgeembed_runtime.index.search.fusion import Ranking
from edgeembed_runtime.index.search.scope import Scope
from edgeembed_runtime.index.segments.snapshot import SegmentView, Snapshot
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import TopK, cosines, scan

_DEVIATIONS = 2


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
        depth = None if exact else _depth_needed(view, wanted, k)
        ann = None if depth is None else view.segment.ann()
        if depth is None or ann is None:
            scan(view.rows, wanted, queries, tops)
            continue
        for query, top in zip(queries, tops, strict=True):
            found = _search_approximately(view, ann, depth, wanted, k, query)
            if found is None:
                scan(view.rows, wanted, query[None], [top])
            else:
                top.offer(*found)
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


def _depth_needed(view: SegmentView, wanted: NDArray[np.bool_], k: int) -> int | None:
    """How many of the nearest rows probably hold the k best of those wanted; None: scan instead.

    A scan is chosen where a search as deep as that takes longer.
    """
    info = view.segment.info
    count = int(np.count_nonzero(wanted))
    if info.backend is None or info.efforts is None or not count:
        return None
    part = count / info.n
    sought = min(k, count)
    # The rank of the last one, were the wanted rows spread at random, and its standard deviation.
    depth = math.ceil(sought / part + _DEVIATIONS * math.sqrt(sought * (1 - part)) / part)
    affordable = max(1.0, (info.exact_ms or 0.0) / (info.ann_ms or np.inf))
    return depth if info.efforts.slowdown(depth) <= affordable else None


def _search_approximately(
    view: SegmentView,
    ann: CheckedAnn,
    depth: int,
    wanted: NDArray[np.bool_],
    k: int,
    query: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Exact scores and ids of the wanted ones among candidates; None where a scan must answer.

    That is where the backend failed, the query is far and no effort is enough for it, or too few
    candidates are wanted within the depth for which the effort was calibrated.
    """
    efforts = view.segment.info.efforts
    assert efforts is not None
    effort = efforts.near_effort(depth)
    scores = np.empty(0, np.float32)
    try:
        candidates = ann.query(query, candidates_for(depth, effort), effort)
        scores = cosines(view.rows.take(candidates), query)
        if not scores.size or float(scores.max()) < efforts.far_below:
            more = efforts.far_effort(depth)
            if more is None:
                return None
            candidates = ann.query(query, candidates_for(depth, more), more)
            scores = cosines(view.rows.take(candidates), query)
    except BackendError as error:
        view.segment.give_up_ann(error)
        return None
    found = wanted[candidates]
    if not found.all():
        best = np.argsort(-scores, kind="stable")[:depth]
        if np.count_nonzero(found[best]) < min(k, np.count_nonzero(wanted)):
            return None
    elif scores.size < min(k, wanted.size):
        return None
    return scores[found], view.rows.ids[candidates[found]]
