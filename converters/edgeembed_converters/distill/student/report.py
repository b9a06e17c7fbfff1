"""The outcome of a student's distillation, for people and for machines."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeembed_converters.training.loop import TrainingResult
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Variant


@public
@dataclass(frozen=True, kw_only=True)
class StudentReport:
    """The outcome of `distill_student`.

    `layers` names the teacher's layers that were kept. `trained` has the learning curve: the mean
    loss, and the nDCG@10 of held-out texts against the teacher's ranking. `cosine` is the mean
    cosine to the teacher on held-out texts after training. `sizes` is in bytes by variant.
    """

    path: Path
    name: str
    teacher: str
    space: str
    dim: int
    layers: tuple[str, ...]
    parameters: int
    teacher_parameters: int
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
