"""The weight of the cosine in hybrid search, chosen by what hybrid search is worth at each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))
MAX_LOSS = 0.5
"""How many points of nDCG@10 hybrid search may be below the better of its two parts."""
# Means of nDCG@10 this close are equal, in points: less than a few queries' worth.
_TIE = 0.1


@dataclass(frozen=True, kw_only=True)
class WeightCurve:
    """What search is worth on one data set: nDCG@10 in points, by vectors, by words, by both."""

    dense: float
    keyword: float
    hybrid: Mapping[float, float]
    """By weight."""

    def gain(self, weight: float) -> float:
        """Points of hybrid search above the better of its parts; below 0, what it loses."""
        return self.hybrid[weight] - max(self.dense, self.keyword)


def choose_weight(curves: Sequence[WeightCurve]) -> float:
    """The weight of the best mean over the data sets.

    Only weights that lose at most MAX_LOSS points on every set take part, if there are any.
    Means are smoothed over the neighboring weights, because a few queries make a single one jump.
    Around the best, the middle of those that are as good is chosen: it is the safest one.
    """
    weights = sorted(curves[0].hybrid)
    means = _smoothed([sum(curve.hybrid[each] for curve in curves) for each in weights])
    safe = [n for n, w in enumerate(weights) if all(c.gain(w) >= -MAX_LOSS for c in curves)]
    candidates = safe or list(range(len(weights)))
    best = max(candidates, key=lambda n: means[n])
    tied = {n for n in candidates if means[n] >= means[best] - _TIE * len(curves)}
    first, last = best, best
    while first - 1 in tied:
        first -= 1
    while last + 1 in tied:
        last += 1
    middle = (first + last) / 2
    return weights[min(range(first, last + 1), key=lambda n: (abs(n - middle), -means[n]))]


def _smoothed(values: Sequence[float]) -> list[float]:
    """Each value with half of its weight on its neighbors; at the ends, on itself."""
    padded = [values[0], *values, values[-1]]
    return [(a + 2 * b + c) / 4 for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)]
