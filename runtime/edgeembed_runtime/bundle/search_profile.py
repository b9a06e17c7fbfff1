"""What search needs to know of a text encoder: measured once, and kept in the bundle's manifest."""

import math
from dataclasses import dataclass

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.validation import expect


@public
@dataclass(frozen=True, kw_only=True)
class Calibration:
    """From the cosine of a query and a passage to the probability that the passage answers it.

    A logistic curve, fitted to judged results (Platt, 1999: Probabilistic outputs for support
    vector machines).
    """

    slope: float
    intercept: float

    def probability(self, cosine: float) -> float:
        """The probability, 0 to 1, that belongs to a cosine."""
        return 1 / (1 + math.exp(-min(max(self.slope * cosine + self.intercept, -60), 60)))

    def cosine(self, probability: float) -> float:
        """The cosine that belongs to a probability above 0 and below 1."""
        return (math.log(probability / (1 - probability)) - self.intercept) / self.slope


@public
@dataclass(frozen=True, kw_only=True)
class SearchProfile:
    """How to search with an encoder.

    Attributes:
        weight: the share of the cosine in hybrid search, 0 to 1; the rest is the keywords'.
        code_weight: the same where source code is searched; None if that is not known to differ.
        passage_tokens: how long passages should be.
        overlap_tokens: how much of the passage before may be repeated, in whole sentences.
        calibration: what its cosines mean; None if nobody has measured it.
    """

    weight: float = 0.5
    code_weight: float | None = None
    passage_tokens: int = 128
    overlap_tokens: int = 16
    calibration: Calibration | None = None

    def check(self) -> None:
        """Validate the fields.

        Raises:
            BundleCorruptError: a value is out of its range.
        """
        expect(0 <= self.weight <= 1, "search.weight", "a number of 0 to 1", self.weight)
        code = self.code_weight
        expect(code is None or 0 <= code <= 1, "search.code_weight", "a number of 0 to 1", code)
        tokens, overlap = self.passage_tokens, self.overlap_tokens
        expect(tokens >= 1, "search.passage_tokens", "a positive number", tokens)
        expect(0 <= overlap < tokens, "search.overlap_tokens", "fewer than a passage's", overlap)
        curve = self.calibration
        if curve is not None:
            slope, intercept = curve.slope, curve.intercept
            is_good = math.isfinite(slope) and slope > 0
            expect(is_good, "search.calibration.slope", "a positive number", slope)
            is_good = math.isfinite(intercept)
            expect(is_good, "search.calibration.intercept", "a number", intercept)
