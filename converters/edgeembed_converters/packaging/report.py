"""What a conversion did, for people and for machines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeembed_converters.matryoshka.truncation import TruncationReport
from edgeembed_converters.quantization.search import pareto_front
from edgeembed_converters.quantization.variants import Outcome
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Fidelity, Source, Variant


@public
@dataclass(frozen=True, kw_only=True)
class TrialReport:
    """One recipe that was tried.

    `chosen` is the name of the variant that it became, or None; `best` says that no other recipe
    is both faster and closer. `left_in_fp32` counts layers that were not quantized: "1 Conv".
    """

    recipe: str
    bytes: int
    fidelity: Fidelity
    speedup: float
    left_in_fp32: tuple[str, ...]
    best: bool
    chosen: str | None


def trial_reports(outcome: Outcome) -> tuple[TrialReport, ...]:
    """Every recipe that was tried, the fastest first."""
    front = pareto_front(outcome.trials)
    names = {trial.recipe: name for name, trial in outcome.made.items()}
    return tuple(
        TrialReport(
            recipe=trial.recipe,
            bytes=trial.size,
            fidelity=trial.fidelity,
            speedup=trial.speedup,
            left_in_fp32=trial.left_in_fp32,
            best=trial in front,
            chosen=names.get(trial.recipe),
        )
        for trial in sorted(outcome.trials, key=lambda trial: -trial.speedup)
    )


@public
@dataclass(frozen=True, kw_only=True)
class TowerReport:
    """One tower: its variants, their bytes by name, and the recipes that were tried."""

    variants: tuple[Variant, ...]
    sizes: dict[str, int]
    trials: tuple[TrialReport, ...]


@public
@dataclass(frozen=True, kw_only=True)
class QuantizationReport:
    """The outcome of `quantize`. `refused` says why, by variant name.

    `variants` and `trials` are of the text tower, or of the only one; `image` is of the image tower
    of a bundle that has both.
    """

    path: Path
    name: str
    variants: tuple[Variant, ...]
    refused: Mapping[str, str]
    trials: tuple[TrialReport, ...]
    calibrated_on: int
    seconds: float
    image: TowerReport | None = None

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {**asdict(self), "path": str(self.path), "refused": dict(self.refused)}


@public
@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """The outcome of `convert`.

    `sizes` is bytes by variant name, `trials` the recipes that were tried; these and `variants` are
    of the text tower, or of the only one. `image` is the image tower of a bundle that has both.
    `max_tokens` is None, and `pixels` (height, width) is not, where images are the input.
    `truncations` is what shorter vectors of texts keep. `notes` is what was assumed, and what the
    user should know.
    """

    path: Path
    name: str
    source: Source
    space: str
    dim: int
    max_tokens: int | None
    pooling: str
    head: tuple[str, ...]
    exporter: str
    variants: tuple[Variant, ...]
    sizes: dict[str, int]
    trials: tuple[TrialReport, ...] = ()
    truncations: tuple[TruncationReport, ...] = ()
    seconds: float
    notes: tuple[str, ...] = ()
    pixels: tuple[int, int] | None = None
    image: TowerReport | None = None

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}
