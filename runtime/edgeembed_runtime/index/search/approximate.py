"""Approximate search in a segment: whether it pays, how it is done, and when a scan must answer.

Candidates are scored again exactly, so every score is a true cosine. Where not all rows are wanted,
because of a filter or of rows that died, there are two ways: to search all rows so deep that enough
of the wanted ones are among what is found, or to have the backend look at the wanted ones only, at
all of them, as they may lie anywhere. The first is faster where most rows are wanted.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.calibration import candidates_for
from edgeembed_runtime.index.ann.checked_backend import BackendError, CheckedAnn
from edgeembed_runtime.index.ann.effort import Efforts
from edgeembed_runtime.index.segments.snapshot import SegmentView
from edgeembed_runtime.index.vectors.topk import cosines, is_gathered

Found = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Scores, and ids or positions."""
_DEVIATIONS = 2
# Of reading a candidate and scoring it.
_CANDIDATE_MS = 0.002


@dataclass(frozen=True, kw_only=True)
class ApproximateSearch:
    """How to find the k best of the wanted rows of a segment."""

    view: SegmentView
    ann: CheckedAnn
    efforts: Efforts
    wanted: NDArray[np.bool_]
    k: int
    depth: int
    """So many of the nearest rows hold the k best, probably."""
    effort_among: int | None
    """To look at the wanted rows only; None: search all of them as deep as that."""

    def search(self, query: NDArray[np.float32]) -> Found | None:
        """Exact scores and ids of some wanted rows; None where a scan must answer.

        That is where the backend failed, the query is far and no effort is enough for it, or too
        few candidates are wanted within the depth for which the effort was calibrated.
        """
        if self.effort_among is None:
            found = self._deep(query)
        else:
            found = self._scored(query, self.k, self.effort_among, self.wanted)
        if found is None or found[0].size < self.k:
            return None
        return found[0], self.view.rows.ids[found[1]]

    def _deep(self, query: NDArray[np.float32]) -> Found | None:
        depth = self.depth
        found = self._scored(query, depth, self.efforts.near_effort(depth))
        if found is not None and float(found[0].max(initial=-np.inf)) < self.efforts.far_below:
            more = self.efforts.far_effort(depth)
            found = None if more is None else self._scored(query, depth, more)
        if found is None:
            return None
        scores, positions = found
        good = self.wanted[positions]
        if good.all():
            return found
        best = np.argsort(-scores, kind="stable")[:depth]
        if np.count_nonzero(good[best]) < self.k:
            return None
        return scores[good], positions[good]

    def _scored(
        self,
        query: NDArray[np.float32],
        depth: int,
        effort: int,
        wanted: NDArray[np.bool_] | None = None,
    ) -> Found | None:
        """Exact scores and positions of candidates; None where the backend failed."""
        try:
            positions = self.ann.query(query, candidates_for(depth, effort), effort, wanted)
        except BackendError as error:
            self.view.segment.give_up_ann(error)
            return None
        return cosines(self.view.rows.take(positions), query), positions


def plan_search(view: SegmentView, wanted: NDArray[np.bool_], k: int) -> ApproximateSearch | None:
    """How to search a segment for the k best of the wanted rows; None: scan it, which is faster."""
    info, efforts = view.segment.info, view.segment.info.efforts
    count = int(np.count_nonzero(wanted))
    if info.backend is None or efforts is None or info.ann_ms is None or not count:
        return None
    sought = min(k, count)
    depth = depth_needed(count / info.n, sought)
    limit = max(info.exact_ms or 0.0, info.ann_ms)
    deep_ms = info.ann_ms * efforts.slowdown(depth)
    # The best of the wanted rows may be far, so looking at them takes the effort for far queries.
    far = None if is_gathered(count, info.n) else efforts.far_effort(sought)
    if deep_ms > limit and far is None:
        return None
    ann = view.segment.ann()
    if ann is None:
        return None
    effort, among_ms = None, np.inf
    if far is not None and ann.most_effort is not None:
        effort = max(ann.most_effort, far)
        looks = info.ann_ms * ann.most_effort / efforts.near_effort(10)
        among_ms = looks + _CANDIDATE_MS * candidates_for(sought, effort)
    if min(deep_ms, among_ms) > limit:
        return None
    return ApproximateSearch(
        view=view,
        ann=ann,
        efforts=efforts,
        wanted=wanted,
        k=sought,
        depth=depth,
        effort_among=effort if among_ms < deep_ms else None,
    )


def depth_needed(part: float, sought: int) -> int:
    """How many of the nearest rows probably hold as many of the wanted part as are sought.

    The rank of the last one, were they spread at random, and its standard deviation.
    """
    return math.ceil(sought / part + _DEVIATIONS * math.sqrt(sought * (1 - part)) / part)
