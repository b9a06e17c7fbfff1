"""The outcome of a fine-tuning, for people and for machines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeembed_converters.fine_tuning.examples import ExampleKind
from edgeembed_converters.fine_tuning.objective import LossName
from edgeembed_converters.training.loop import TrainingResult
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Variant


@public
@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """The outcome of `train`.

    `path` is the bundle, `model_path` the PyTorch model that it was converted from. `examples` and
    `held_out` count what was trained and measured on. `before` and `after` are metrics of the
    held-out examples by name; `trained` has the learning curve of the one called `metric`.
    `parameters` is how many were trained. `witness` names the library that the bundle was proven
    to equal. `sizes` is in bytes by variant.
    """

    path: Path
    model_path: Path
    name: str
    model: str
    space: str
    dim: int
    kind: ExampleKind
    loss: LossName
    examples: int
    held_out: int
    parameters: int
    metric: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    trained: TrainingResult
    witness: str
    variants: tuple[Variant, ...]
    sizes: Mapping[str, int]
    seconds: float
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {**asdict(self), "path": str(self.path), "model_path": str(self.model_path)}
