"""Hybrid search: a dense and a keyword ranking fused into one by reciprocal rank.

Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods, SIGIR 2009, with their k = 60.
"""

from collections.abc import Sequence

from edgeembed_runtime.index.search.ranking import Ranking

_RRF_K = 60
# How deep each ranking is read: a document that both hold can overtake.
_MIN_DEPTH = 100


def fusion_depth(k: int) -> int:
    """How many results of each ranking fuse() needs for k results."""
    return max(_MIN_DEPTH, 2 * k)


def fuse(rankings: Sequence[Ranking], k: int) -> Ranking:
    """The k best by reciprocal rank fusion: each ranking adds 1 / (60 + rank) to a row's score."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, (docid, _) in enumerate(ranking, start=1):
            scores[docid] = scores.get(docid, 0.0) + 1 / (_RRF_K + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
