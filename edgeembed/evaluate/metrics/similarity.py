"""The similarity of pairs of vectors, and how it correlates with human scores."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.vectors import Similarity

Floats = NDArray[np.float64]


def similarity_pairs(
    a: NDArray[np.float32], b: NDArray[np.float32], kind: Similarity
) -> NDArray[np.float64]:
    """The similarity of each row of (n, d) to the same row of (n, d): (n,), higher is closer."""
    left, right = a.astype(np.float64), b.astype(np.float64)
    match kind:
        case "cosine":
            lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
            return (left * right).sum(axis=1) / np.maximum(lengths, 1e-300)
        case "dot":
            return (left * right).sum(axis=1)
        case "euclidean":
            return -np.linalg.norm(left - right, axis=1)
        case "manhattan":
            return -np.abs(left - right).sum(axis=1)


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
