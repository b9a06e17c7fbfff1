"""How vectors are distributed in space: alignment, uniformity, anisotropy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Squared Euclidean distances of the rows of two (n, d) arrays, scaled to unit length: (n,)."""
    return ((unit_rows(a) - unit_rows(b)) ** 2).sum(axis=1)


def alignment(distances: Floats) -> float:
    """The mean squared distance of equivalent texts; lower is better.

    Source: Wang & Isola, ICML 2020 (https://arxiv.org/abs/2005.10242), alpha = 2.
    """
    return float(distances.mean())


def uniformity(distances: Floats) -> float:
    """Log E[exp(-2 d²)] over pairs of random texts; lower is more uniform. Source: ibid., t = 2."""
    return float(np.log(np.exp(-2 * distances).mean()))


def anisotropy(distances: Floats) -> float:
    """The mean cosine of pairs of random texts, from their squared distances; 0 is isotropic.

    Source: Ethayarajh, EMNLP 2019 (https://arxiv.org/abs/1909.00512).
    """
    return float((1 - distances / 2).mean())


def unit_rows(rows: Floats) -> Floats:
    """Each row of (n, d) at unit length; a row of zeros stays."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
