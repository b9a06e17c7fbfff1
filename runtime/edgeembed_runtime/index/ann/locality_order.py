"""Orders rows so that similar ones follow each other.

A graph whose nodes are stored in this order is faster to build and to search: what a search visits
next is often in the cache. Coleman et al., "Graph reordering for cache-efficient near neighbor
search", NeurIPS 2022, https://arxiv.org/abs/2104.03221, reorder finished graphs; ordering the input
is simpler.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.backend import RowSource

_CHUNK_ROWS = 8192
_SEED = 0


def locality_order(rows: RowSource, count: int) -> NDArray[np.int64]:
    """The positions of `count` rows, grouped by the nearest of sqrt(count) sampled rows.

    The groups follow each other by similarity: after each comes the most similar of the rest. Costs
    n * sqrt(n) * d multiplications, and 32 KB for each of the sqrt(n).
    """
    chosen = np.random.default_rng(_SEED).choice(count, math.isqrt(count), replace=False)
    centers = rows.take(np.sort(chosen))
    centers = centers[_chain(centers @ centers.T)]
    nearest = [
        np.argmax(rows.take(np.arange(start, min(start + _CHUNK_ROWS, count))) @ centers.T, axis=1)
        for start in range(0, count, _CHUNK_ROWS)
    ]
    return np.argsort(np.concatenate(nearest), kind="stable")


def _chain(similarity: NDArray[np.float32]) -> NDArray[np.int64]:
    """A greedy order: from the first on, always the most similar of the rest."""
    order = np.empty(len(similarity), np.int64)
    excluded = np.zeros(len(similarity), np.float32)
    at = 0
    for number in range(len(similarity)):
        order[number] = at
        excluded[at] = -np.inf
        at = int(np.argmax(similarity[at] + excluded))
    return order
