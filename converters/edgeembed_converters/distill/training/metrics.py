"""How well a student finds what its teacher finds."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.vectors import normalize

_DEPTH = 10


def neighbor_ndcg(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """nDCG@10 of retrieval among n items, each of them a query for the others: 0 to 1.

    The teacher's vectors `wanted` say what is relevant: its first neighbor by cosine counts 10,
    its second 9, down to 1. The student's vectors `found` ask, once among the student's own and
    once among the teacher's; the mean of the two is given, so that a student must be like its
    teacher inside and lie where it lies. Both are (n, d).

    Source: Jarvelin and Kekalainen, Cumulated gain-based evaluation (2002), with linear gains,
    https://doi.org/10.1145/582415.582418.
    """
    depth = min(_DEPTH, len(wanted) - 1)
    if depth < 1:
        return 1.0
    own, teachers = normalize(found), normalize(wanted)
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
    """The places of each query's nearest items, itself left out: (n, depth)."""
    scores = queries @ corpus.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth]
