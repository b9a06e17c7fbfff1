"""The outcome of a static distillation, for people and for machines."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeembed_converters.training.loop import TrainingResult
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Variant


@public
@dataclass(frozen=True, kw_only=True)
class StaticReport:
    """The outcome of `distill_static`.

    `tokens` is the size of the vocabulary, `teacher_tokens` that of the teacher's. `trained` has
    the learning curve: the mean loss, and the nDCG@10 of held-out texts against the teacher's
    ranking.
    `cosine` is the mean cosine to the teacher's vectors after PCA on held-out texts. `sizes` is in
    bytes by variant.
    """

    path: Path
    name: str
    teacher: str
    space: str
    dim: int
    tokens: int
    teacher_tokens: int
    texts: int
    held_out: int
    cosine: float
    trained: TrainingResult
    variants: tuple[Variant, ...]
    sizes: dict[str, int]
    seconds: float
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}
