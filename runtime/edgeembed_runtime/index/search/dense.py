"""Search by vector: which segments are scanned exactly, and which approximately."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.calibration import MEASURED_ASK, SPARE
from edgeembed_runtime.index.ann.checked import BackendError, CheckedAnn
from edgeembed_runtime.index.segments.segment import SegmentInfo
from edgeembed_runtime.index.segments.snapshot import SegmentView, Snapshot
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import TopK, cosines, scan

Ranking = list[tuple[int, float]]
"""(row id, score), best first."""


# Damaged vectors are for verify() to name; numpy's warnings about them would name nothing.
@np.errstate(over="ignore", invalid="ignore")
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
        exact: never search approximately.
        allowed: sorted row ids that may be found, or None for all.
        excluded: row ids that may not be found.
    """
    tops = [TopK(k) for _ in queries]
    scan(snapshot.tail, _wanted(snapshot.tail, allowed, excluded), queries, tops)
    for view in snapshot.segments:
        wanted = _wanted(view.rows, allowed, excluded)
        left = int(np.count_nonzero(wanted))
        ask = None if exact else _ask(view.segment.info, left, k)
        ann = None if ask is None else view.segment.ann()
        if ask is None or ann is None:
            scan(view.rows, wanted, queries, tops)
            continue
        for query, top in zip(queries, tops, strict=True):
            if not _approximate(view, ann, ask, wanted, min(k, left), query, top):
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


def _ask(info: SegmentInfo, left: int, k: int) -> int | None:
    """How many candidates are likely to hold the k best of `left` rows; None: a scan is faster.

    Effort, and so time, grows with the candidates from what was measured.
    """
    if info.backend is None or not left:
        return None
    ask = min(k, left) * info.n // left + SPARE
    slower = ask / MEASURED_ASK
    affordable = max(1.0, (info.exact_ms or 0.0) / (info.ann_ms or np.inf))
    return ask if slower <= affordable else None


def _approximate(
    view: SegmentView,
    ann: CheckedAnn,
    ask: int,
    wanted: NDArray[np.bool_],
    least: int,
    query: NDArray[np.float32],
    top: TopK,
) -> bool:
    """Offer candidates, scored exactly; False where fewer than `least` of them are wanted."""
    effort = int(view.segment.info.effort * max(1.0, ask / MEASURED_ASK))
    try:
        near = ann.query(query, ask, effort)
    except BackendError as error:
        view.segment.give_up_ann(error)
        return False
    near = near[wanted[near]]
    if near.size < least:
        return False
    rows = view.rows
    top.offer(cosines(rows.take(near), query), rows.ids[near])
    return True
