"""From a bundle to one with smaller variants, each through its gate."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.matryoshka.truncated_dims import measured_truncations
from edgeembed_converters.packaging.assemble import (
    BundleParts,
    check_target,
    model_files,
    variants_of,
    write_proven,
)
from edgeembed_converters.packaging.report import Outcomes, QuantizationReport, tower_reports
from edgeembed_converters.pipeline.requantize import base_variant, requantize_image, requantize_text
from edgeembed_converters.quantization.registry import Quantization, checked_quantizations
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.trial.calibration import calibration_texts
from edgeembed_converters.quantization.variants import QuantizationOutcome
from edgeembed_converters.validation.pixels import ImageInputs
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Bundle, Golden, Modality, Variant
from edgeembed_runtime.errors import ConversionError, InputError


@public
def quantize(
    bundle: str | Path,
    output: str | Path,
    *,
    quantize: Quantization | str | Sequence[Quantization | str] = "int8",
    budget: Budget | None = None,
    calibration: Sequence[str] | None = None,
    calibration_images: ImageInputs | None = None,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> QuantizationReport:
    """Make smaller variants of a bundle's fp32 models; write a new bundle with all variants.

    Recipes are tried from the fastest to the most faithful, until one meets its budget. They are
    measured on the bundle's golden inputs, and never calibrated on them.

    Args:
        bundle: the directory of a bundle with an fp32 variant; it is not changed.
        output: the directory to write. It appears whole, at the end, or not at all.
        quantize: as for `convert`; a variant of the same name is replaced.
        budget: what "int8" and "int8-portable" may lose.
        calibration: texts like those that will be encoded; by default built-in ones.
        calibration_images: a folder or a list of images like those that will be encoded; by
            default images made by code.
        overwrite: replace a bundle at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.

    Raises:
        ConversionError: no recipe meets the budget, or the model cannot be quantized.
        InputError: an option is unknown, the bundle has no fp32 variant, or there is nothing to
            calibrate on.
        BundleError: the bundle is damaged.
        StorageError: the disk is full, or `output` is taken.
    """
    start = time.perf_counter()
    on_step = on_step or ignore_step
    target = Path(output)
    wanted = checked_quantizations(quantize)
    if not wanted:
        raise InputError("quantize: expected a variant to make, got none")
    texts = _checked_calibration(calibration)
    source = Bundle.open(bundle)
    if target.exists() and target.resolve() == source.path.resolve():
        raise InputError(f"output: {target} is the bundle itself, which is never changed")
    check_target(target, overwrite)
    outcomes: dict[Modality, QuantizationOutcome] = {}
    if source.manifest.text is not None:
        outcomes["text"] = requantize_text(source, wanted, budget, texts, on_step)
    if source.manifest.image is not None:
        outcomes["image"] = requantize_image(source, wanted, budget, calibration_images, on_step)
    refused = _refused(outcomes)
    if not any(outcome.models for outcome in outcomes.values()):
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise ConversionError(f"nothing was made of bundle {source.path}: {reasons}")
    manifest = write_proven(
        target,
        _parts(source, outcomes),
        overwrite=overwrite,
        on_step=on_step,
        only={name for each in outcomes.values() for name in each.models},
    )
    towers = tower_reports(manifest, outcomes)
    return QuantizationReport(
        path=target,
        name=manifest.name,
        variants=towers[0].variants,
        refused=refused,
        trials=towers[0].trials,
        calibrated_on=len(texts),
        seconds=round(time.perf_counter() - start, 1),
        image=towers[1] if len(towers) > 1 else None,
    )


def _checked_calibration(texts: Sequence[str] | None) -> Sequence[str]:
    if texts is None:
        return calibration_texts()
    if isinstance(texts, str) or not all(isinstance(cast(object, text), str) for text in texts):
        raise InputError("calibration: expected a list of texts")
    if not any(text.strip() for text in texts):
        raise InputError("calibration: expected at least one text that is not empty, got none")
    return texts


def _refused(outcomes: Outcomes) -> dict[str, str]:
    """Why variants were refused, by name; with two towers, by name and tower."""
    return {
        f"{name} ({modality})" if len(outcomes) > 1 else name: why
        for modality, outcome in outcomes.items()
        for name, why in outcome.refused.items()
    }


def _parts(source: Bundle, outcomes: Outcomes) -> BundleParts:
    """The bundle's own files, with new variants added or in place of old ones."""
    manifest = source.manifest
    golden = Golden.from_json(source.read(manifest.golden))
    variants: dict[Modality, tuple[Variant, ...]] = {}
    models: dict[str, bytes | Path] = {}
    for modality, tower in manifest.towers.items():
        outcome = outcomes[modality]
        made = variants_of(outcome.models, _file_prefix(base_variant(source, modality)))
        kept = [v for v in tower.variants if v.name not in outcome.models]
        variants[modality] = (*kept, *made)
        models |= {v.file: source.path / v.file for v in kept}
        models |= model_files(made, outcome.models)
    replaced = {v.file for tower in manifest.towers.values() for v in tower.variants}
    replaced.add(manifest.golden)
    return BundleParts(
        name=manifest.name,
        space=manifest.space,
        source=manifest.source,
        normalized=manifest.normalized,
        similarity=manifest.similarity,
        text=manifest.text and replace(manifest.text, variants=variants["text"]),
        image=manifest.image and replace(manifest.image, variants=variants["image"]),
        logit_scale=manifest.logit_scale,
        logit_bias=manifest.logit_bias,
        search=manifest.search,
        golden=golden,
        models=models,
        files={name: source.path / name for name in manifest.files if name not in replaced},
        truncations=measured_truncations(golden.vectors),
    )


def _file_prefix(base: Variant) -> str:
    """What the fp32 file's name has before the variant's name."""
    end = f"{base.name}.onnx"
    return base.file.removesuffix(end) if base.file.endswith(end) else ""
