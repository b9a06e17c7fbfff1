"""What a conversion or quantization did, for people and for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeembed_converters.matryoshka.truncated_dims import TruncationReport
from edgeembed_converters.quantization.search import pareto_front
from edgeembed_converters.quantization.variants import QuantizationOutcome
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Fidelity, Manifest, Modality, Source, Variant

Outcomes = Mapping[Modality, QuantizationOutcome]


@public
@dataclass(frozen=True, kw_only=True)
class TrialReport:
    """One recipe that was tried.

    `chosen` is the name of the variant that it became, or None; `best` means that no other recipe
    is both faster and closer. `left_in_fp32` counts layers that were not quantized: "1 Conv".
    """

    recipe: str
    bytes: int
    fidelity: Fidelity
    speedup: float
    left_in_fp32: tuple[str, ...]
    best: bool
    chosen: str | None


@public
@dataclass(frozen=True, kw_only=True)
class TowerReport:
    """One tower: its variants, their sizes in bytes by name, and the recipes that were tried."""

    variants: tuple[Variant, ...]
    sizes: dict[str, int]
    trials: tuple[TrialReport, ...]


@public
@dataclass(frozen=True, kw_only=True)
class QuantizationReport:
    """The outcome of `quantize`. `refused` gives the reasons by variant name.

    `variants` and `trials` are those of the text tower, or of the only tower; `image` is the image
    tower of a bundle with both.
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

    `sizes` is in bytes by variant name. `variants`, `sizes` and `trials` are those of the text
    tower, or of the only tower; `image` is the image tower of a bundle with both. For images alone,
    `max_tokens` is None; for texts alone, `pixels` (height, width) is. `truncations` is what
    shorter text vectors keep. `witness` names what made the vectors of texts that the bundle was
    proven to equal: the library that the model comes from; or says that there was none. `notes` is
    what was assumed, and what the user should know.
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
    witness: str = ""
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


def conversion_report(
    path: Path,
    manifest: Manifest,
    outcomes: Outcomes,
    *,
    pooling: str,
    head: tuple[str, ...],
    exporter: str,
    witness: str = "",
    truncations: Sequence[TruncationReport] = (),
    notes: Sequence[str],
    seconds: float,
) -> ConversionReport:
    """The report on a bundle that was written to `path`; `manifest` is as written."""
    towers = tower_reports(manifest, outcomes)
    text, image = manifest.text, manifest.image
    return ConversionReport(
        path=path,
        name=manifest.name,
        source=manifest.source,
        space=manifest.space,
        dim=manifest.dim,
        max_tokens=None if text is None else text.max_tokens,
        pooling=pooling,
        head=head,
        exporter=exporter,
        witness=witness,
        variants=towers[0].variants,
        sizes=towers[0].sizes,
        trials=towers[0].trials,
        truncations=tuple(truncations),
        seconds=round(seconds, 1),
        notes=tuple(notes),
        pixels=None if image is None else image.preprocess.size,
        image=towers[1] if len(towers) > 1 else None,
    )


def tower_reports(manifest: Manifest, outcomes: Outcomes) -> list[TowerReport]:
    """A report on each tower, text first; towers without an outcome have no trials."""
    return [
        TowerReport(
            variants=tower.variants,
            sizes={v.name: manifest.files[v.file].bytes for v in tower.variants},
            trials=_trial_reports(outcomes[modality]) if modality in outcomes else (),
        )
        for modality, tower in manifest.towers.items()
    ]


def _trial_reports(outcome: QuantizationOutcome) -> tuple[TrialReport, ...]:
    """Every recipe that was tried, fastest first."""
    front = pareto_front(outcome.trials)
    names = {trial.recipe: name for name, trial in outcome.models.items()}
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
