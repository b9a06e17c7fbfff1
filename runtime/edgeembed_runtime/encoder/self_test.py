"""Does a bundle give, on this machine, the vectors that were promised when it was made?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Modality, Variant

# A variant's own measured distance is allowed for; this is what another processor may add to it.
TOLERANCE = {"fp32": 1e-5}
DEFAULT_TOLERANCE = 5e-3


@public
@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """The outcome of running a tower's golden inputs: cosines to the original model's vectors.

    `texts` is how many inputs there were: images, for an image tower. `expected_min_cosine` is
    the bound: what was measured when the bundle was made, less a tolerance for other processors.
    """

    texts: int
    modality: Modality = "text"
    variant: str
    mean_cosine: float
    min_cosine: float
    expected_min_cosine: float

    @property
    def ok(self) -> bool:
        """Whether every golden vector was met within the bound."""
        return self.min_cosine >= self.expected_min_cosine


def compare_golden(
    reference: NDArray[np.float32],
    actual: NDArray[np.float32],
    modality: Modality,
    variant: Variant,
) -> SelfTest:
    """Compare (n, d) vectors of this machine with the golden ones, row by row."""
    cosines = rowwise_cosine(reference, actual)
    tolerance = TOLERANCE.get(variant.name, DEFAULT_TOLERANCE)
    return SelfTest(
        texts=len(cosines),
        modality=modality,
        variant=variant.name,
        mean_cosine=float(cosines.mean()),
        min_cosine=float(cosines.min()),
        expected_min_cosine=variant.fidelity.min_cosine - tolerance,
    )


def rowwise_cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of each row of `a` with the same row of `b`, in float64: (n,)."""
    left, right = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(1) / np.maximum(lengths, 1e-300)
