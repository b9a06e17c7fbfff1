"""Ranking metrics of one query, as in trec_eval (https://github.com/usnistgov/trec_eval).

A ranking is given by the gains of its items, best rank first, and the gains of all judged items. A
gain above 0 is relevant; items that were not judged have gain 0.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ndcg(gains: Floats, judged: Floats, k: int) -> float:
    """Normalized discounted cumulative gain of the first `k`, with linear gains.

    Source: Järvelin & Kekäläinen, ACM TOIS 20(4), 2002; trec_eval's ndcg_cut.
    """
    best = _discounted(np.sort(judged)[::-1][:k])
    return _discounted(gains[:k]) / best if best > 0 else 0.0


def recall(gains: Floats, judged: Floats, k: int) -> float:
    """The share of the relevant items that are among the first `k`."""
    relevant = int((judged > 0).sum())
    return int((gains[:k] > 0).sum()) / relevant if relevant else 0.0


def reciprocal_rank(gains: Floats, k: int) -> float:
    """1 / the rank of the first relevant item; 0 if none is among the first `k`."""
    found = np.flatnonzero(gains[:k] > 0)
    return 1.0 / (int(found[0]) + 1) if len(found) else 0.0


def average_precision(gains: Floats, judged: Floats, k: int) -> float:
    """The mean, over the relevant items, of the precision at their ranks; 0 beyond `k`."""
    relevant = int((judged > 0).sum())
    ranks = np.flatnonzero(gains[:k] > 0)
    precisions = np.arange(1, len(ranks) + 1) / (ranks + 1)
    return float(precisions.sum()) / relevant if relevant else 0.0


def _discounted(gains: Floats) -> float:
    discounts = np.log2(np.arange(len(gains)) + 2)
    return float((np.maximum(gains, 0) / discounts).sum())
