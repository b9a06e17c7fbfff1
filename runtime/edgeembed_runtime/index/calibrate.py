"""How good and how fast a segment's searches are: measured when it is written."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime.index.ann import LoadedAnn
from edgeembed_runtime.index.segment import Rows
from edgeembed_runtime.index.topk import TopK, cosines, scan

# Recall of 200 x 10 neighbours has a standard error of about 0.002 at 0.99.
_QUERIES = 200
_NEIGHBOURS = 10
# Candidates beyond those asked for, against rows that turn out dead.
SPARE = 16
MEASURED_ASK = _NEIGHBOURS + SPARE
"""How many candidates were asked for when a segment's effort was chosen."""
_CLOSE_ENOUGH = 1.15
# Annoy counts a row once for each of its trees.
_MOST_LOOKS = 100
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Rows of a segment that were searched for exactly, what was found, and how fast."""

    positions: Sequence[int]
    neighbours: Sequence[frozenset[int]]
    median_ms: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Recall@10 and median milliseconds of one query, at the effort that was chosen."""

    effort: int
    recall: float
    ms: float


def measure_exact(rows: Rows) -> Truth:
    """Search for sampled rows of a segment exactly."""
    count = min(_QUERIES, rows.ids.size)
    sample = np.random.default_rng(_SEED).choice(rows.ids.size, size=count, replace=False)
    positions: list[int] = sample.tolist()
    neighbours: list[frozenset[int]] = []
    times: list[float] = []
    for position in positions:
        query = np.array(rows.vectors[position])
        top = TopK(_NEIGHBOURS + 1)
        started = time.perf_counter()
        scan(rows, rows.alive, query[None], [top])
        times.append(time.perf_counter() - started)
        neighbours.append(_others(top, int(rows.ids[position])))
    return Truth(
        positions=positions, neighbours=neighbours, median_ms=statistics.median(times) * 1e3
    )


def measure_ann(
    rows: Rows, ann: LoadedAnn, truth: Truth, *, floor: float, first_effort: int, at_most_ms: float
) -> Measured:
    """Find about the least effort that reaches a recall.

    The effort doubles until the recall is reached, or a query takes longer than `at_most_ms`, or
    all rows are looked at; then it is halved in between.
    """
    too_little, effort = 0, first_effort
    while (found := _measure(rows, ann, truth, effort)).recall < floor:
        if found.ms > at_most_ms or effort > _MOST_LOOKS * rows.ids.size:
            return found
        too_little, effort = effort, 2 * effort
    while found.effort > max(too_little + 1, _CLOSE_ENOUGH * too_little):
        tried = _measure(rows, ann, truth, (too_little + found.effort) // 2)
        if tried.recall >= floor:
            found = tried
        else:
            too_little = tried.effort
    return found


def _measure(rows: Rows, ann: LoadedAnn, truth: Truth, effort: int) -> Measured:
    times: list[float] = []
    found = wanted = 0
    for position, neighbours in zip(truth.positions, truth.neighbours, strict=True):
        query = np.array(rows.vectors[position])
        top = TopK(_NEIGHBOURS + 1)
        started = time.perf_counter()
        near = ann.query(query, MEASURED_ASK, effort)
        top.offer(cosines(rows.take(near), query), rows.ids[near])
        times.append(time.perf_counter() - started)
        found += len(_others(top, int(rows.ids[position])) & neighbours)
        wanted += len(neighbours)
    return Measured(effort=effort, recall=found / max(1, wanted), ms=statistics.median(times) * 1e3)


def _others(top: TopK, own: int) -> frozenset[int]:
    docids: list[int] = [docid for docid, _ in top.pairs() if docid != own]
    return frozenset(docids[:_NEIGHBOURS])
