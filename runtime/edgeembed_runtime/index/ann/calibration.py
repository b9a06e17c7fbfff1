"""Calibration: the efforts at which an ANN file has a recall, proven on queries it has not seen.

Done once, when a segment is written. What is proven is a lower bound, for near and for far queries
each (see Efforts), so that it also holds for a mixture of other parts.
"""

import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.backend import LoadedAnn
from edgeembed_runtime.index.ann.confidence import can_be_proven, is_proven, lower_bound
from edgeembed_runtime.index.ann.effort import Efforts
from edgeembed_runtime.index.ann.held_out import DEPTHS, MAIN_DEPTH, HeldOut, Queries
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import cosines

# Candidates beyond those needed: backends round, and rows die.
_SPARE = 16
# The first hit of a query that is far from all rows takes 400 candidates by 4-bit codes.
_MOST_MORE = 1024
# One percent in all, half of it for each kind of query.
_DELTA = 0.005
# The nearest rows of one in ten held out are as far as those of a far query.
_FAR_PART = 0.1
_PILOT = 200
_CHECK_EVERY = 100
# What the pilot aims at, as a part of the losses that the floor allows: few efforts fail later.
_PILOT_AIM = 0.6
_CLOSE_ENOUGH = 1.08
_STEP = 1.1
# So many doublings of the effort that find nothing more: no effort will.
_IN_VAIN = 3


def candidates_for(depth: int, effort: int) -> int:
    """How many candidates are scored exactly to find `depth` rows.

    Grows with a large effort: where rows are closer to each other than a backend's rounding, its
    order says little, and no search of a graph or of all lists would help.
    """
    least = depth + _SPARE
    return least + depth + min(effort // 4, max(_MOST_MORE, 4 * least))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What reaches the recall asked for, and the median milliseconds of a query for 10 hits."""

    efforts: Efforts
    ms: float


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Queries at one effort."""

    losses: NDArray[np.float64]
    """(m,) the part of the true neighbors that was not found."""
    ms: float


@dataclass(frozen=True, kw_only=True)
class _Found:
    effort: int
    trial: _Trial


def measure_ann(
    rows: Rows,
    ann: LoadedAnn,
    held_out: HeldOut,
    *,
    floor: float,
    first_effort: int,
    max_ms: float,
) -> Measured | None:
    """Find roughly the least efforts that are proven to reach a recall.

    Args:
        rows: the segment.
        ann: a file of the rows that are not held out.
        held_out: queries and their exact answers.
        floor: recall@k that must be reached, up to 1.
        first_effort: where to start.
        max_ms: a query for 10 hits may take so long.

    Returns:
        None if no effort reaches the floor within `max_ms`.
    """
    far_below = float(np.quantile(held_out.rows.nearest[:, 0], _FAR_PART))
    calibration = _Calibration(rows, ann, held_out, floor)
    near = calibration.near_efforts(far_below, first_effort, max_ms)
    if near is None:
        return None
    far = calibration.far_efforts(far_below, near)
    # A graph of more rows needs slightly more effort; so much more is always enough.
    growth = rows.ids.size / held_out.kept.size
    trials = [each.trial for each in (*near.values(), *far.values())]
    far_loss = float(far[MAIN_DEPTH].trial.losses.mean()) if far else 0.0
    near_loss = float(near[MAIN_DEPTH].trial.losses.mean())
    return Measured(
        efforts=Efforts(
            depths=tuple(near),
            near=tuple(math.ceil(growth * near[depth].effort) for depth in near),
            far=tuple(math.ceil(growth * _far_effort(depth, near, far)) for depth in near)
            if far
            else None,
            far_below=far_below,
            recall=1 - (1 - _FAR_PART) * near_loss - _FAR_PART * far_loss,
            bound=min(lower_bound(trial.losses, _DELTA) for trial in trials),
        ),
        ms=near[MAIN_DEPTH].trial.ms,
    )


def _far_effort(depth: int, near: Mapping[int, _Found], far: Mapping[int, _Found]) -> float:
    """The effort found; where none was sought, in proportion to that of others."""
    if depth in far:
        return far[depth].effort
    return near[depth].effort * max(1.0, far[MAIN_DEPTH].effort / near[MAIN_DEPTH].effort)


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Queries of one kind."""

    queries: Queries
    asked: NDArray[np.intp]
    """Which of them."""
    least_best: float
    """Where the best candidate has a smaller cosine, the search is not for this kind to judge."""


class _Calibration:
    def __init__(self, rows: Rows, ann: LoadedAnn, held_out: HeldOut, floor: float) -> None:
        self._rows, self._ann, self._held_out = rows, ann, held_out
        self._floor = floor

    def near_efforts(
        self, far_below: float, first_effort: int, max_ms: float
    ) -> Mapping[int, _Found] | None:
        """The effort at each depth, ascending, for all queries that a search does not find far.

        None if the main one takes longer than `max_ms`, or the first hit longer than a scan, too.
        Depths beyond those are left out if so.
        """
        queries = self._held_out.rows
        near = _Kind(queries=queries, asked=np.arange(len(queries.vectors)), least_best=far_below)
        main = self._least_effort(near, MAIN_DEPTH, 1, first_effort, max_ms)
        if main is None:
            return None
        longest_ms = max(max_ms, self._held_out.exact_ms)
        single = self._least_effort(near, 1, main.effort, main.effort, longest_ms)
        if single is None:
            return None
        found = {1: single, MAIN_DEPTH: main}
        for depth in DEPTHS:
            if depth > MAIN_DEPTH and 2 * depth <= self._held_out.kept.size:
                least = found[max(found)].effort
                start = max(least, depth)
                more = self._least_effort(near, depth, least, start, self._held_out.exact_ms)
                if more is None:
                    break
                found[depth] = more
        return found

    def far_efforts(self, far_below: float, near: Mapping[int, _Found]) -> Mapping[int, _Found]:
        """The effort at each depth up to the main one for vectors that are far from all rows.

        Empty if one takes longer than a scan.
        """
        queries = self._held_out.far
        asked = np.flatnonzero(queries.nearest[:, 0] < far_below)
        far = _Kind(queries=queries, asked=asked, least_best=-np.inf)
        found: dict[int, _Found] = {}
        for depth in (1, MAIN_DEPTH):
            least = near[depth].effort
            more = self._least_effort(far, depth, least, 2 * least, self._held_out.exact_ms)
            if more is None:
                return {}
            found[depth] = more
        return found

    def _least_effort(
        self, kind: _Kind, depth: int, least: int, start: int, max_ms: float
    ) -> _Found | None:
        """Pick an effort with a few queries, and raise it until all of them prove the floor."""
        effort = self._promising(kind, depth, least, start, max_ms)
        most = (effort or 0) << _IN_VAIN
        while effort is not None:
            trial = self._try(kind, depth, effort, max_ms)
            if trial.ms > max_ms:
                return None
            if is_proven(trial.losses, self._floor, _DELTA):
                return _Found(effort=effort, trial=trial)
            if effort > most:
                return None
            effort = math.ceil(_STEP * effort)
        return None

    def _promising(
        self, kind: _Kind, depth: int, least: int, start: int, max_ms: float
    ) -> int | None:
        if not can_be_proven(np.empty(0), self._floor, _DELTA, kind.asked.size):
            return None
        few = _Kind(queries=kind.queries, asked=kind.asked[:_PILOT], least_best=kind.least_best)
        too_little, effort = least - 1, start
        lost: list[float] = []
        while not self._promises(trial := self._try(few, depth, effort, max_ms)):
            lost.append(float(trial.losses.sum()))
            if trial.ms > max_ms or min(lost[-_IN_VAIN:]) >= min(lost[:-_IN_VAIN], default=np.inf):
                return None
            too_little, effort = effort, 2 * effort
        while effort > max(too_little + 1, _CLOSE_ENOUGH * too_little):
            middle = (too_little + effort) // 2
            if self._promises(self._try(few, depth, middle, max_ms)):
                effort = middle
            else:
                too_little = middle
        return effort

    def _promises(self, trial: _Trial) -> bool:
        allowed = _PILOT_AIM * (1 - self._floor)
        return bool(trial.losses.size) and float(trial.losses.mean()) <= allowed

    def _try(self, kind: _Kind, depth: int, effort: int, max_ms: float) -> _Trial:
        """Run all queries, or as many as make clear whether this effort is enough."""
        count = candidates_for(depth, effort)
        times: list[float] = []
        losses: list[float] = []
        for number, at in enumerate(kind.asked.tolist(), start=1):
            query = kind.queries.vectors[at]
            true = kind.queries.nearest[at, :depth]
            started = time.perf_counter()
            found = self._held_out.kept[self._ann.query(query, count, effort)]
            scores = cosines(self._rows.take(found), query)
            times.append(time.perf_counter() - started)
            best = float(scores.max(initial=-np.inf))
            if not scores.size or best >= kind.least_best:
                shared = min(int(np.count_nonzero(scores >= true[-1])), true.size)
                losses.append(1 - shared / true.size)
            if number % _CHECK_EVERY == 0:
                trial = _trial_of(losses, times)
                if trial.ms > max_ms or self._is_clear(trial, kind.asked.size - number):
                    break
        return _trial_of(losses, times)

    def _is_clear(self, trial: _Trial, more: int) -> bool:
        if more < _PILOT and len(trial.losses) <= _PILOT:  # a pilot
            return float(trial.losses.sum()) > (1 - self._floor) * _PILOT
        return is_proven(trial.losses, self._floor, _DELTA) or not can_be_proven(
            trial.losses, self._floor, _DELTA, more
        )


def _trial_of(losses: list[float], times: list[float]) -> _Trial:
    return _Trial(losses=np.array(losses), ms=statistics.median(times) * 1e3)
