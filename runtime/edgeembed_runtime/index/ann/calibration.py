"""Calibration: the efforts at which an ANN file has a recall, proven on queries it has not seen.

Done once, when a segment is written. What is proven is a lower bound, for near and for far queries
each (see Efforts), so that it also holds for a mixture of other parts.
"""

import math
import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.backend import LoadedAnn
from edgeembed_runtime.index.ann.confidence import can_be_proven, is_proven, lower_bound
from edgeembed_runtime.index.ann.effort import Efforts
from edgeembed_runtime.index.ann.held_out import DEPTHS, HeldOut, Queries
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import cosines

SPARE_CANDIDATES = 16
"""Candidates beyond those needed: backends round, and rows die."""
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
# Annoy counts a row once for each tree.
_MAX_VISITS = 100


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
    far_below = float(np.quantile(held_out.rows.best, _FAR_PART))
    calibration = _Calibration(rows, ann, held_out, floor)
    near = calibration.near(far_below)
    first = calibration.least_effort(near, DEPTHS[0], 1, first_effort, max_ms)
    if first is None:
        return None
    depths, found = [DEPTHS[0]], [first]
    for depth in DEPTHS[1:]:
        if 2 * depth > held_out.kept.size:
            break
        least = found[-1].effort
        more = calibration.least_effort(near, depth, least, least, held_out.exact_ms)
        if more is None:
            break
        depths.append(depth)
        found.append(more)
    far = calibration.least_effort(
        calibration.far(far_below), DEPTHS[0], first.effort, 2 * first.effort, held_out.exact_ms
    )
    # A graph of more rows needs slightly more effort; so much more is always enough.
    growth = rows.ids.size / held_out.kept.size
    efforts = [max(f.effort for f in found[: i + 1]) for i in range(len(found))]
    times = 1.0 if far is None else max(1.0, far.effort / first.effort)
    bounds = [lower_bound(f.trial.losses, _DELTA) for f in (first, far) if f is not None]
    far_loss = 0.0 if far is None else float(far.trial.losses.mean())
    return Measured(
        efforts=Efforts(
            depths=tuple(depths),
            near=tuple(math.ceil(growth * e) for e in efforts),
            far=None if far is None else tuple(math.ceil(growth * times * e) for e in efforts),
            far_below=far_below,
            recall=1 - (1 - _FAR_PART) * float(first.trial.losses.mean()) - _FAR_PART * far_loss,
            bound=min(bounds),
        ),
        ms=first.trial.ms,
    )


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

    def near(self, far_below: float) -> _Kind:
        """All queries held out, as far as a search does not find them to be far."""
        queries = self._held_out.rows
        return _Kind(queries=queries, asked=np.arange(len(queries.best)), least_best=far_below)

    def far(self, far_below: float) -> _Kind:
        """Vectors that are far from all rows."""
        queries = self._held_out.far
        return _Kind(
            queries=queries, asked=np.flatnonzero(queries.best < far_below), least_best=-np.inf
        )

    def least_effort(
        self, kind: _Kind, depth: int, least: int, start: int, max_ms: float
    ) -> _Found | None:
        """Pick an effort with a few queries, and raise it until all of them prove the floor."""
        effort = self._promising(kind, depth, least, start, max_ms)
        while effort is not None:
            trial = self._try(kind, depth, effort, max_ms)
            if trial.ms > max_ms:
                return None
            if is_proven(trial.losses, self._floor, _DELTA):
                return _Found(effort=effort, trial=trial)
            if effort > _MAX_VISITS * self._rows.ids.size:
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
        while not self._promises(trial := self._try(few, depth, effort, max_ms)):
            if trial.ms > max_ms or effort > _MAX_VISITS * self._rows.ids.size:
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
        times: list[float] = []
        losses: list[float] = []
        for number, at in enumerate(kind.asked.tolist(), start=1):
            query = kind.queries.vectors[at]
            true = kind.queries.nearest[at][:depth]
            started = time.perf_counter()
            found = self._held_out.kept[self._ann.query(query, depth + SPARE_CANDIDATES, effort)]
            scores = cosines(self._rows.take(found), query)
            ids = self._rows.ids[found[np.lexsort((found, -scores))[:depth]]]
            times.append(time.perf_counter() - started)
            if scores.size and float(scores.max()) >= kind.least_best:
                losses.append(1 - len(set(ids.tolist()).intersection(true)) / len(true))
            elif not scores.size:
                losses.append(1.0)
            if number % _CHECK_EVERY == 0 and (
                statistics.median(times) * 1e3 > max_ms
                or self._is_clear(np.array(losses), kind.asked.size - number)
            ):
                break
        return _Trial(losses=np.array(losses), ms=statistics.median(times) * 1e3)

    def _is_clear(self, losses: NDArray[np.float64], more: int) -> bool:
        if more < _PILOT and len(losses) <= _PILOT:  # a pilot
            return float(losses.sum()) > (1 - self._floor) * _PILOT
        proven = is_proven(losses, self._floor, _DELTA)
        return proven or not can_be_proven(losses, self._floor, _DELTA, more)
