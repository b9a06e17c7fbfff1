"""Correlation of similarities with what people said."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pearson(a: Floats, b: Floats) -> float:
    """Pearson's r of two (n,) arrays; NaN where either is constant, or n < 2."""
    if len(a) < 2:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else float("nan")


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rho of two (n,) arrays: Pearson's r of their ranks, ties sharing the mean rank."""
    from scipy.stats import rankdata

    return pearson(rankdata(a), rankdata(b))
