"""How well a student retrieves what its teacher retrieves."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.vectors import normalize

_DEPTH = 10


def neighbor_ndcg(found: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    """nDCG@10 of retrieval among n items, each a query for the others: 0 to 1.

    The teacher's vectors `targets` define relevance: its nearest neighbor by cosine has gain 10,
    the second 9, down to 1. The student's vectors `found` are the queries, once against its own
    corpus and once against the teacher's; the result is the mean of both, so that a student must
    match its teacher's neighborhoods and share its space. Both are (n, d).

    Source: Jarvelin and Kekalainen, Cumulated gain-based evaluation (2002), with linear gains,
    https://doi.org/10.1145/582415.582418.
    """
    depth = min(_DEPTH, len(targets) - 1)
    if depth < 1:
        return 1.0
    own, teachers = normalize(found), normalize(targets)
    relevant = _nearest(teachers, teachers, depth)
    rankings = [_nearest(own, corpus, depth) for corpus in (own, teachers)]
    return float(np.mean([_ndcg(ranked, relevant) for ranked in rankings]))


def _ndcg(ranked: NDArray[np.intp], relevant: NDArray[np.intp]) -> float:
    depth = ranked.shape[1]
    gains = np.arange(depth, 0, -1, dtype=np.float64)
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    matches = ranked[:, :, None] == relevant[:, None, :]
    return float(((matches @ gains) @ discounts).mean() / (gains @ discounts))


def _nearest(
    queries: NDArray[np.float32], corpus: NDArray[np.float32], depth: int
) -> NDArray[np.intp]:
    """The indices of each query's nearest items, itself excluded: (n, depth)."""
    scores = queries @ corpus.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth]
