"""How much truncated vectors keep of a space: measured, not assumed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.validation.parity import compare_spaces
from edgeembed_runtime._internal.public import public

# Usual lengths; below 32 nothing was found to be worth using.
_LENGTHS = (2048, 1536, 1024, 768, 512, 384, 256, 192, 128, 96, 64, 32)


@public
@dataclass(frozen=True, kw_only=True)
class TruncationReport:
    """What vectors truncated to `dim` components keep of the full ones.

    As in `Fidelity`: `pairs_spearman` compares the rankings of all pairwise cosines,
    `retrieval_overlap` is the mean share of common ten nearest neighbors.
    """

    dim: int
    pairs_spearman: float
    retrieval_overlap: float

    @property
    def holds(self) -> bool:
        """Whether the manifest may list it: see docs/how-to/shorter-vectors.md."""
        return self.pairs_spearman >= MIN_SPEARMAN and self.retrieval_overlap >= MIN_OVERLAP


# all-MiniLM-L6-v2 rotated by PCA meets both down to 192, where it loses 0.55 points of STS.
# Lower bounds would not do: a rotation keeps the rough order of such different texts down to a few
# components.
MIN_SPEARMAN, MIN_OVERLAP = 0.97, 0.85


def measured_truncations(vectors: NDArray[np.float32]) -> tuple[TruncationReport, ...]:
    """Truncate (n, d) vectors of real texts to every usual length below d, longest first."""
    found: list[TruncationReport] = []
    for dim in (length for length in _LENGTHS if length < vectors.shape[1]):
        spearman, overlap = compare_spaces(vectors, vectors[:, :dim])
        found.append(TruncationReport(dim=dim, pairs_spearman=spearman, retrieval_overlap=overlap))
    return tuple(found)


def matryoshka_dims(truncations: Sequence[TruncationReport]) -> tuple[int, ...]:
    """The lengths that hold, longest first, down to the first one that does not."""
    found: list[int] = []
    for truncation in truncations:
        if not truncation.holds:
            break
        found.append(truncation.dim)
    return tuple(found)
