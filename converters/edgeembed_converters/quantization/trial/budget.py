"""What a smaller variant may lose: the gate that it must pass."""

from dataclasses import dataclass, fields

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.errors import InputError


@public
@dataclass(frozen=True, kw_only=True)
class Budget:
    """Lower bounds on the fields of `Fidelity` with the same names.

    The default keeps a model within about 0.1 points on the STS and retrieval tasks listed in
    docs/notes/quantization.md.
    """

    mean_cosine: float = 0.9975
    min_cosine: float = 0.985
    pairs_spearman: float = 0.996
    retrieval_overlap: float = 0.94

    def __post_init__(self) -> None:
        """Refuse bounds outside of 0 to 1, which everything or nothing would meet."""
        for field in fields(self):
            bound = getattr(self, field.name)
            if not isinstance(bound, int | float) or not 0 <= bound <= 1:
                raise InputError(f"budget: {field.name}: expected a number of 0 to 1, got {bound}")

    def misses(self, found: Fidelity) -> tuple[str, ...]:
        """The bounds that are not met, in words; empty if all are."""
        return tuple(
            f"{field.name} {getattr(found, field.name):.4f} < {getattr(self, field.name):g}"
            for field in fields(self)
            if not getattr(found, field.name) >= getattr(self, field.name)
        )


FAITHFUL = Budget(
    mean_cosine=0.9995, min_cosine=0.998, pairs_spearman=0.999, retrieval_overlap=0.97
)
