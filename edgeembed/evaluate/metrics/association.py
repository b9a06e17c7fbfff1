"""WEAT: how much closer one group of words is to one attribute than another group.

Source: Caliskan, Bryson & Narayanan, Science 356 (2017), https://arxiv.org/abs/1608.07187.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.metrics.geometry import unit_rows

Floats = NDArray[np.float64]
# Up to this many ways to split the target words, all are tried; C(16, 8) = 12,870.
MAX_EXACT = 20_000


def associations(targets: Floats, a: Floats, b: Floats) -> Floats:
    """s(w, A, B) of each row of `targets` (n, d): mean cosine to `a` minus mean cosine to `b`."""
    targets, a, b = (unit_rows(rows) for rows in (targets, a, b))
    return (targets @ a.T).mean(axis=1) - (targets @ b.T).mean(axis=1)


def effect_size(x: Floats, y: Floats) -> float:
    """Cohen's d of two groups of associations: between -2 and 2; NaN if all are equal.

    Uses the sample standard deviation (n - 1) of both groups together, as in the authors' code.
    """
    both = np.concatenate([x, y])
    spread = float(both.std(ddof=1)) if len(both) > 1 else 0.0
    return float(x.mean() - y.mean()) / spread if spread > 0 else float("nan")


def permutation_p_value(x: Floats, y: Floats, *, samples: int, seed: int) -> float:
    """The one-sided p-value: the share of splits into groups of these sizes at least as far apart.

    Exact up to 20,000 splits; otherwise from `samples` random ones plus the observed split, so that
    it is never 0 (Phipson & Smyth, 2010).
    """
    both = np.concatenate([x, y])
    observed = float(x.sum() / len(x) - y.sum() / len(y))
    if math.comb(len(both), len(x)) <= MAX_EXACT:
        choices = np.array(list(itertools.combinations(range(len(both)), len(x))))
        return float(_at_least(both, choices, observed).mean())
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(len(both)), (samples, 1)), axis=1)
    return float((_at_least(both, order[:, : len(x)], observed).sum() + 1) / (samples + 1))


def projections(words: Floats, a: Floats, b: Floats) -> Floats:
    """The cosine of each row of `words` (n, d) to the direction from `b`'s mean to `a`'s: (n,).

    Source: Bolukbasi et al., NeurIPS 2016 (https://arxiv.org/abs/1607.06520), with means.
    """
    direction = unit_rows(a).mean(axis=0) - unit_rows(b).mean(axis=0)
    return unit_rows(words) @ (direction / max(float(np.linalg.norm(direction)), 1e-300))


def _at_least(values: Floats, chosen: NDArray[np.intp], observed: float) -> NDArray[np.bool_]:
    size = chosen.shape[1]
    sums = values[chosen].sum(axis=1)
    differences = sums / size - (values.sum() - sums) / (len(values) - size)
    return differences >= observed - 1e-12  # the observed split itself, after rounding
