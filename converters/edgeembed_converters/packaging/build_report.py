"""What is told of a conversion."""

from pathlib import Path

from edgeembed_converters.packaging.report import ConversionReport, TowerReport, trial_reports
from edgeembed_converters.pipeline.build import BuiltModel
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.sources.base import primary_source
from edgeembed_runtime.bundle import Manifest, Modality


def report_of(
    target: Path, built: BuiltModel, manifest: Manifest, options: BuildOptions, seconds: float
) -> ConversionReport:
    """What is told of a bundle that was written to `target`."""
    towers = [_tower_report(built, manifest, modality) for modality in manifest.towers]
    text, image = manifest.text, manifest.image
    shown = primary_source(built.source)
    return ConversionReport(
        path=target,
        name=manifest.name,
        source=manifest.source,
        space=manifest.space,
        dim=manifest.dim,
        max_tokens=None if text is None else text.max_tokens,
        pooling=shown.pooling_name,
        head=shown.head_names,
        exporter=options.exporter,
        variants=towers[0].variants,
        sizes=towers[0].sizes,
        trials=towers[0].trials,
        seconds=round(seconds, 1),
        truncations=built.truncations,
        notes=built.notes,
        pixels=None if image is None else image.preprocess.size,
        image=towers[1] if len(towers) > 1 else None,
    )


def _tower_report(built: BuiltModel, manifest: Manifest, modality: Modality) -> TowerReport:
    tower = built.towers[modality]
    return TowerReport(
        variants=manifest.towers[modality].variants,
        sizes={name: made.size for name, made in tower.models.items()},
        trials=trial_reports(tower.outcome),
    )
