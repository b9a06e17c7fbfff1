"""Hybrid search: a ranking by vectors and one by words, fused into one.

Convex combination of scaled scores: Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid
Retrieval, ACM TOIS 2023. Cosines are scaled by the best and the last that were read. BM25 scores
are too, but not beyond what they are worth: where even the best document has few of the query's
words, its words say little. What they could be worth is known, as in that paper's TM2C2: the score
of a document that has all of them many times.

Or reciprocal rank fusion: Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet
and individual Rank Learning Methods, SIGIR 2009, with their k = 60.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Ranking = list[tuple[int, float]]
"""(document row, score), best first, ties by row."""
Fusion = Literal["convex", "rrf"]
FUSIONS: tuple[Fusion, ...] = ("convex", "rrf")
# How deep each ranking is read: a document that both hold can overtake.
_MIN_DEPTH = 200
# The share of what it could be worth from which on the best BM25 score counts in full. Measured on
# six sets (docs/notes/answers.md): less lets a few common words decide, more silences them.
_FULL_EVIDENCE = 0.35
_RRF_K = 60


@dataclass(frozen=True, kw_only=True)
class KeywordRanking:
    """A ranking by BM25, and the score that no document can exceed."""

    pairs: Ranking
    bound: float


def fusion_depth(k: int) -> int:
    """How many results of each ranking fusion needs for k results."""
    return max(_MIN_DEPTH, 2 * k)


def fuse_scores(dense: Ranking, keyword: KeywordRanking, k: int, *, weight: float) -> Ranking:
    """The k best by `weight` x scaled cosine + (1 - weight) x scaled BM25, each 0 to 1.

    A row that one of the rankings lacks gets 0 for it. With weight 1 or 0 the order is that of one
    ranking, followed by what only the other one has.
    """
    by_vector = _scaled(dense, floor=dense[-1][1] if dense else 0.0, least_best=0.0)
    # A short ranking has everything that matches at all, and its last is better than nothing.
    pairs = keyword.pairs
    floor = pairs[-1][1] if len(pairs) >= _MIN_DEPTH and pairs[-1][1] < pairs[0][1] else 0.0
    by_words = _scaled(pairs, floor=floor, least_best=_FULL_EVIDENCE * keyword.bound)
    scores = {
        docid: weight * by_vector.get(docid, 0.0) + (1 - weight) * by_words.get(docid, 0.0)
        for docid in (*by_vector, *by_words)
    }
    if weight in (0, 1):  # the last of a ranking has 0, as have those that it lacks
        return [(docid, scores[docid]) for docid in _united(dense, pairs, first=weight)][:k]
    return _best(scores, k)


def fuse_ranks(rankings: Sequence[Ranking], k: int) -> Ranking:
    """The k best by reciprocal ranks: each ranking adds 1 / (60 + rank) to a row's score."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, (docid, _) in enumerate(ranking, start=1):
            scores[docid] = scores.get(docid, 0.0) + 1 / (_RRF_K + rank)
    return _best(scores, k)


def _scaled(ranking: Ranking, *, floor: float, least_best: float) -> dict[int, float]:
    """Scores from 0, at the floor, to 1, for the best if it is good enough."""
    width = max(ranking[0][1] - floor, least_best) if ranking else 0.0
    return {docid: (score - floor) / width if width > 0 else 1.0 for docid, score in ranking}


def _united(dense: Ranking, keyword: Ranking, *, first: float) -> dict[int, float]:
    return dict([*dense, *keyword] if first else [*keyword, *dense])


def _best(scores: dict[int, float], k: int) -> Ranking:
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
