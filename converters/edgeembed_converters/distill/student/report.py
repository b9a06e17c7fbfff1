"""What the training of a student did, for people and for machines."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeembed_converters.distill.training.loop import TrainingResult
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Variant


@public
@dataclass(frozen=True, kw_only=True)
class StudentReport:
    """The outcome of `distill_student`.

    `layers` are the teacher's that were kept, by name. `trained` has the curve: the mean loss, and
    the nDCG@10 of held-out texts against the teacher's own ranking. `cosine` is the mean cosine of
    held-out texts to what the teacher gives, after training. `sizes` is bytes by variant.
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
