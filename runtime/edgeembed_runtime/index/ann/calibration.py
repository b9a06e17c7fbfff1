"""Recall calibration: the effort at which an ANN file reaches a recall, and how fast it is then.

Measured once, when a segment is written, against exact answers to synthetic queries.
"""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.backend import LoadedAnn
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import TopK, cosines, scan

# Recall of 1000 x 10 neighbors has a standard error of about 0.0013 at 0.99.
_QUERIES = 1000
# Enough for a median. After each batch of them a clear case is decided.
_QUERIES_PER_CHECK = 100
_CLEAR_STANDARD_ERRORS = 3
_NEIGHBORS = 10
# Candidates beyond those needed, because some rows turn out to be dead.
SPARE_CANDIDATES = 16
CALIBRATION_CANDIDATES = _NEIGHBORS + SPARE_CANDIDATES
"""How many candidates each calibration query asks for."""
_CLOSE_ENOUGH = 1.08
# Annoy counts a row once for each tree.
_MAX_VISITS = 100
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class GroundTruth:
    """Queries to a segment, (m, d) unit vectors, with their exact answers and median time."""

    queries: NDArray[np.float32]
    neighbors: Sequence[frozenset[int]]
    median_ms: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Recall@10 and the median milliseconds of a query, at one effort."""

    effort: int
    recall: float
    ms: float


def measure_exact(rows: Rows) -> GroundTruth | None:
    """Make realistic queries, and answer them exactly.

    The rows themselves are too easy as queries, because an ANN index is built around them: on
    100,000 text vectors a graph had recall 0.990 for its own rows, 0.981 for other texts, and 0.981
    for the queries made here. Each is a row that is perturbed in a random direction, by as much as
    rows differ from their nearest neighbors. None if the sample has no row with a vector.
    """
    rng = np.random.default_rng(_SEED)
    count = min(_QUERIES, rows.ids.size)
    positions = rng.choice(rows.ids.size, size=count, replace=False)
    samples = rows.take(positions)
    samples = samples[samples.any(axis=1)]
    if not len(samples):
        return None
    queries = perturbed(samples, float(np.clip(_median_nearest(rows, samples), 0.0, 1.0)), rng)
    times: list[float] = []
    for query in queries[:_QUERIES_PER_CHECK]:
        started = time.perf_counter()
        scan(rows, rows.alive, query[None], [TopK(_NEIGHBORS)])
        times.append(time.perf_counter() - started)
    tops = [TopK(_NEIGHBORS) for _ in queries]
    scan(rows, rows.alive, queries, tops)
    neighbors = [_ids(top) for top in tops]
    return GroundTruth(
        queries=queries, neighbors=neighbors, median_ms=statistics.median(times) * 1e3
    )


def perturbed(
    rows: NDArray[np.float32], cosine: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Random (n, d) unit vectors, each at a given cosine to its row of (n, d) unit rows."""
    noise = rng.normal(size=rows.shape)
    noise -= (noise * rows).sum(axis=1, keepdims=True) * rows
    noise /= np.maximum(np.linalg.norm(noise, axis=1, keepdims=True), 1e-12)
    moved = cosine * rows + np.sqrt(1 - cosine**2) * noise
    lengths = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    return (moved / lengths).astype(np.float32)


def measure_ann(
    rows: Rows,
    ann: LoadedAnn,
    truth: GroundTruth,
    *,
    floor: float,
    first_effort: int,
    max_ms: float,
) -> Measured:
    """Find roughly the lowest effort that reaches a recall.

    The effort doubles until the recall is reached, a query takes longer than `max_ms`, or all rows
    are visited; a bisection follows.
    """
    too_little, effort = 0, first_effort
    while (found := _measure(rows, ann, truth, effort, floor, max_ms)).recall < floor:
        if found.ms > max_ms or effort > _MAX_VISITS * rows.ids.size:
            return found
        too_little, effort = effort, 2 * effort
    while found.effort > max(too_little + 1, _CLOSE_ENOUGH * too_little):
        middle = (too_little + found.effort) // 2
        tried = _measure(rows, ann, truth, middle, floor, max_ms)
        if tried.recall >= floor:
            found = tried
        else:
            too_little = tried.effort
    return found


def _measure(
    rows: Rows, ann: LoadedAnn, truth: GroundTruth, effort: int, floor: float, max_ms: float
) -> Measured:
    """Run all queries, or as many as make clear whether this effort is enough."""
    times: list[float] = []
    recalls: list[float] = []
    for query, neighbors in zip(truth.queries, truth.neighbors, strict=True):
        if times and len(times) % _QUERIES_PER_CHECK == 0:
            too_slow = statistics.median(times) * 1e3 > max_ms
            if too_slow or _is_clear(recalls, floor):
                break
        top = TopK(_NEIGHBORS)
        started = time.perf_counter()
        found = ann.query(query, CALIBRATION_CANDIDATES, effort)
        top.offer(cosines(rows.take(found), query), rows.ids[found])
        times.append(time.perf_counter() - started)
        recalls.append(len(_ids(top) & neighbors) / len(neighbors))
    return Measured(
        effort=effort, recall=statistics.fmean(recalls), ms=statistics.median(times) * 1e3
    )


def _is_clear(recalls: Sequence[float], floor: float) -> bool:
    error = statistics.stdev(recalls) / math.sqrt(len(recalls))
    return abs(statistics.fmean(recalls) - floor) > _CLEAR_STANDARD_ERRORS * error


def _median_nearest(rows: Rows, samples: NDArray[np.float32]) -> float:
    """The median cosine of sampled rows to their nearest neighbors; 1 where there is none."""
    if len(samples) < 2:
        return 1.0
    tops = [TopK(2) for _ in samples]
    scan(rows, rows.alive, samples, tops)
    return float(np.median([min(score for _, score in top.pairs()) for top in tops]))


def _ids(top: TopK) -> frozenset[int]:
    return frozenset(docid for docid, _ in top.pairs())
