"""Similarity row by row."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.vectors import Similarity


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
