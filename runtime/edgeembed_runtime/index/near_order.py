"""An order of rows in which those that are alike come one after the other.

A graph whose nodes are stored so is searched and built faster: what a search looks at next is often
in memory already. Coleman et al., "Graph reordering for cache-efficient near neighbor search",
NeurIPS 2022, https://arxiv.org/abs/2104.03221, order finished graphs; ordering what goes into them
is simpler.
"""

import math

import numpy as np
from numpy.typing import NDArray

_CHUNK_ROWS = 8192
_SEED = 0


def near_order(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Positions of all of (n, d) unit rows: those nearest to one of sqrt(n) rows stay together.

    These go from each to the one of the rest that is most like it. Costs n * sqrt(n) * d
    multiplications, and 32 KB for each of the sqrt(n).
    """
    count = math.isqrt(len(vectors))
    chosen = np.sort(np.random.default_rng(_SEED).choice(len(vectors), count, replace=False))
    centres = np.array(vectors[chosen])
    centres = centres[_chain(centres @ centres.T)]
    nearest = [
        np.argmax(vectors[start : start + _CHUNK_ROWS] @ centres.T, axis=1)
        for start in range(0, len(vectors), _CHUNK_ROWS)
    ]
    return np.argsort(np.concatenate(nearest), kind="stable")


def _chain(alike: NDArray[np.float32]) -> NDArray[np.int64]:
    """From the first on, always the one of the rest that is most like the last."""
    order = np.empty(len(alike), np.int64)
    left = np.zeros(len(alike), np.float32)
    at = 0
    for number in range(len(alike)):
        order[number] = at
        left[at] = -np.inf
        at = int(np.argmax(alike[at] + left))
    return order
