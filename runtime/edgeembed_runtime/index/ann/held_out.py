"""Queries of which an ANN file knows nothing, with their exact answers.

Rows are too easy as queries of an ANN file that holds them, because it is built around them: on
100,000 text vectors a graph had recall 0.990 for its own rows, and 0.981 for others of the same
kind. So some rows are left out of the file that is calibrated.
"""

import dataclasses
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import TopK, scan

DEPTHS = (1, 10, 100)
"""The depths that are calibrated. The first hit alone takes more effort than ten: a single miss is
all of it."""
MAIN_DEPTH = 10
"""Of them, the one that is timed, and for far queries the deepest."""
# Perfect answers to 5 / (1 - floor) queries would prove the floor; with four times as many, a mean
# a third of the way from the floor to perfection does.
_PER_LOSS = 20
_MIN_QUERIES, _MAX_QUERIES = 100, 50_000
_MAX_PART = 4
_TIMED = 100
# Cosine of a query to the row that it is made of: one harder to answer than questions of other
# fields, which lose as much as at 0.3 (and six times as much as at 0.5); and a near neighbor's.
_FAR, _NEAR = 0.25, 0.9
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Queries:
    """(m, d) unit vectors with exact answers."""

    vectors: NDArray[np.float32]
    nearest: NDArray[np.float64]
    """(m, depth) cosines to the nearest rows, best first. Rows of equal cosine are equally good."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What calibration needs to know of a segment."""

    kept: NDArray[np.int64]
    """Positions of the rows that are searched: all but those held out, ascending."""
    held: NDArray[np.int64]
    """Positions of the rows held out."""
    rows: Queries
    """The rows held out; where they are few, also vectors near them."""
    far: Queries
    """Vectors farther from all rows than rows are from each other."""
    exact_ms: float
    """Median time of an exact scan for one query."""


class KeptRows:
    """The rows that are not held out, numbered from 0 on."""

    def __init__(self, rows: Rows, kept: NDArray[np.int64]) -> None:
        """Number the rows at the positions `kept`."""
        self._rows, self._kept = rows, kept

    def take(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Copy the rows with some numbers."""
        return self._rows.take(self._kept[positions])


def hold_out(rows: Rows, floor: float) -> HeldOut | None:
    """Choose rows at random, and answer them exactly from the others.

    None without any vector, or for a recall of 1, which no number of queries proves.
    """
    rng = np.random.default_rng(_SEED)
    n = rows.ids.size
    if floor >= 1:
        return None
    enough = int(np.clip(_PER_LOSS / (1 - floor), _MIN_QUERIES, _MAX_QUERIES))
    count = min(n // _MAX_PART, enough)
    held = np.sort(rng.choice(n, size=count, replace=False))
    samples = rows.take(held)
    samples = samples[samples.any(axis=1)]
    if not len(samples):
        return None
    rng.shuffle(samples)
    wanted = rows.alive.copy()
    wanted[held] = False
    far = np.resize(samples, (enough, samples.shape[1]))
    near = samples
    if 2 * len(near) < enough:
        more = np.resize(samples, (enough // 2 - len(near), samples.shape[1]))
        near = np.concatenate([near, perturbed(more, _NEAR, rng)])
    return HeldOut(
        kept=np.flatnonzero(wanted),
        held=held,
        rows=_answered(rows, wanted, near, DEPTHS[-1]),
        far=_answered(rows, wanted, perturbed(far, _FAR, rng), MAIN_DEPTH),
        exact_ms=_scan_ms(rows, samples[:_TIMED]),
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


def _answered(
    rows: Rows, wanted: NDArray[np.bool_], vectors: NDArray[np.float32], depth: int
) -> Queries:
    tops = [TopK(depth) for _ in vectors]
    # For so many queries at once float32 is faster than codes, of which more rows are contenders.
    scan(dataclasses.replace(rows, sq8=None), wanted, vectors, tops)
    if rows.mapped is not None:
        rows.mapped.release()
    nearest = np.array([[cosine for _, cosine in top.pairs()] for top in tops])
    return Queries(vectors=vectors, nearest=nearest)


def _scan_ms(rows: Rows, queries: NDArray[np.float32]) -> float:
    times: list[float] = []
    for query in queries:
        started = time.perf_counter()
        scan(rows, rows.alive, query[None], [TopK(10)])
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3
