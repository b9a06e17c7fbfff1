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
    Around the best, the middle of those that are as good is chosen: it is the safest one.
    """
    weights = sorted(curves[0].hybrid)
    safe = [each for each in weights if all(curve.gain(each) >= -MAX_LOSS for curve in curves)]
    means = {
        each: sum(curve.hybrid[each] for curve in curves) / len(curves) for each in safe or weights
    }
    best = max(means, key=lambda each: means[each])
    tied = {each for each in means if means[each] >= means[best] - _TIE}
    at = weights.index(best)
    first, last = at, at
    while first > 0 and weights[first - 1] in tied:
        first -= 1
    while last + 1 < len(weights) and weights[last + 1] in tied:
        last += 1
    middle = (first + last) / 2
    plateau = range(first, last + 1)
    return weights[min(plateau, key=lambda n: (abs(n - middle), -means[weights[n]]))]
