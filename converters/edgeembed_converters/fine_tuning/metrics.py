"""How good vectors of held-out examples are: retrieval of positives, or the order of scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.fine_tuning.batches import EncodedExamples
from edgeembed_runtime.vectors import normalize

_DEPTH = 10
_BLOCK = 1024
MRR, RECALL, SPEARMAN = "MRR@10", "recall@10", "Spearman's rank correlation"


def metric_name(scored: bool) -> str:
    """What training stops early on."""
    return SPEARMAN if scored else MRR


def measured(vectors: NDArray[np.float32], examples: EncodedExamples) -> Mapping[str, float]:
    """The metrics of (texts, d) vectors, by name; not a number where a vector is none.

    Retrieval: each distinct anchor is a query, and all positives and negatives are the corpus.
    """
    if not np.isfinite(vectors).all():
        return {metric_name(examples.scores is not None): float("nan")}
    unit = normalize(vectors)
    if examples.scores is not None:
        cosines = (unit[examples.anchors] * unit[examples.positives]).sum(axis=1)
        return {SPEARMAN: _spearman(cosines, examples.scores)}
    ranks = _first_ranks(unit, examples)
    found = ranks[ranks <= _DEPTH]
    return {MRR: float((1 / found).sum() / len(ranks)), RECALL: len(found) / len(ranks)}


def _first_ranks(unit: NDArray[np.float32], examples: EncodedExamples) -> NDArray[np.int64]:
    """The rank of the best positive of each distinct anchor, from 1; ties count against it."""
    queries = np.unique(examples.anchors)
    inside = [text for each in examples.negatives for text in each]
    corpus = np.unique(np.concatenate([examples.positives, np.array(inside, np.int64)]))
    ranks: list[NDArray[np.int64]] = []
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        scores = unit[block] @ unit[corpus].T
        right = np.isin(block[:, None] * len(examples.rows) + corpus, examples.known_pairs)
        best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
        # A query that is in the corpus itself finds itself: that is no answer.
        others = ~right & (block[:, None] != corpus[None, :])
        ranks.append(1 + (others & (scores >= best)).sum(axis=1))
    return np.concatenate(ranks)


def _spearman(found: NDArray[np.float32], scores: NDArray[np.float32]) -> float:
    from scipy import stats

    if np.ptp(found) == 0 or np.ptp(scores) == 0:
        return 0.0
    result: Any = stats.spearmanr(found, scores)
    return float(result.statistic)
