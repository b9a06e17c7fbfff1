"""The self-test: does a bundle reproduce its golden vectors on this machine?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Modality, Variant

# How much lower than measured at conversion a cosine may be on another CPU.
TOLERANCE = {"fp32": 1e-5}
DEFAULT_TOLERANCE = 5e-3


@public
@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """The result of running a tower's golden inputs on this machine.

    Attributes:
        texts: the number of inputs; images for an image tower.
        modality: the tower that was tested.
        variant: the variant that was tested.
        mean_cosine: mean cosine to the original model's vectors.
        min_cosine: lowest cosine to the original model's vectors.
        expected_min_cosine: the bound: the lowest cosine at conversion, minus a tolerance for other
            CPUs.
    """

    texts: int
    modality: Modality = "text"
    variant: str
    mean_cosine: float
    min_cosine: float
    expected_min_cosine: float

    @property
    def ok(self) -> bool:
        """Whether every golden vector was reproduced within the bound."""
        return self.min_cosine >= self.expected_min_cosine


def compare_golden(
    reference: NDArray[np.float32],
    actual: NDArray[np.float32],
    modality: Modality,
    variant: Variant,
) -> SelfTest:
    """Compare this machine's (n, d) vectors with the golden ones, row by row."""
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
    """Return the cosine of each row of `a` with the same row of `b`: (n,) float64.

    That of two rows of zeros is 1.
    """
    left, right = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = (left * right).sum(1) / np.maximum(lengths, 1e-300)
    return np.where(left.any(1) | right.any(1), cosines, 1.0)
