"""From a bundle to one with smaller variants, each through its gate."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from edgeembed_converters.matryoshka.truncation import measured_truncations
from edgeembed_converters.packaging.assemble import write_proven
from edgeembed_converters.packaging.model_card import model_card
from edgeembed_converters.packaging.report import QuantizationReport, TowerReport, trial_reports
from edgeembed_converters.packaging.target import check_target, ignore_step
from edgeembed_converters.pipeline.requantize import base_variant, requantize_image, requantize_text
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.trial.calibration import calibration_texts
from edgeembed_converters.quantization.variants import (
    OnStep,
    Outcome,
    Quantization,
    checked_quantizations,
)
from edgeembed_converters.validation.fidelity import as_variant
from edgeembed_converters.validation.pixels import ImageInputs
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Bundle, Golden, Manifest, Modality, Variant, write_bundle
from edgeembed_runtime.errors import ConversionError, InputError

_CARD = "README.md"
Outcomes = Mapping[Modality, Outcome]


@public
def quantize(
    bundle: str | Path,
    output: str | Path,
    *,
    quantize: Quantization | Sequence[Quantization] = "int8",
    budget: Budget | None = None,
    calibration: Sequence[str] | None = None,
    calibration_images: ImageInputs | None = None,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> QuantizationReport:
    """Make smaller variants of a bundle's fp32 models, and write them with it as a new bundle.

    Recipes are tried from the fastest to the most faithful one, until what is wanted is met. They
    are measured on the bundle's golden inputs, which are never calibrated on.

    Args:
        bundle: the directory of a bundle with an fp32 variant; it is not changed.
        output: the directory to write. It appears whole, at the end, or not at all.
        quantize: as in `convert`; a variant of the same name is replaced.
        budget: what "int8" and "int8-portable" may lose.
        calibration: texts like those that will be encoded, in place of the built-in ones.
        calibration_images: a folder or a list of images like those that will be encoded, in place
            of images made by code.
        overwrite: replace a bundle that stands at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.

    Raises:
        ConversionError: no recipe meets the budget, or the model cannot be quantized.
        InputError: an option is unknown, the bundle has no fp32 variant, or there is nothing to
            calibrate on.
        BundleError: the bundle is damaged.
        StorageError: the disk is full, or `output` is taken.
    """
    began = time.perf_counter()
    on_step = on_step or ignore_step
    out = Path(output)
    wanted = checked_quantizations(quantize)
    if not wanted:
        raise InputError("quantize: expected a variant to make, got none")
    texts = checked_calibration(calibration)
    source = Bundle.open(bundle)
    if out.exists() and out.resolve() == source.path.resolve():
        raise InputError(f"output: {out} is the bundle itself, which is never changed")
    check_target(out, overwrite)
    outcomes: dict[Modality, Outcome] = {}
    if source.manifest.text is not None:
        outcomes["text"] = requantize_text(source, wanted, budget or Budget(), texts, on_step)
    if source.manifest.image is not None:
        outcomes["image"] = requantize_image(
            source, wanted, budget or Budget(), calibration_images, on_step
        )
    refused = _refused(outcomes)
    if not any(outcome.made for outcome in outcomes.values()):
        why = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise ConversionError(f"nothing was made of bundle {source.path}: {why}")
    manifest = write_proven(
        out,
        lambda stage: _write(stage, source, outcomes),
        overwrite=overwrite,
        on_step=on_step,
        only={name for each in outcomes.values() for name in each.made},
    )
    reports = [_tower_report(manifest, modality, each) for modality, each in outcomes.items()]
    return QuantizationReport(
        path=out,
        name=manifest.name,
        variants=reports[0].variants,
        refused=refused,
        trials=reports[0].trials,
        calibrated_on=len(texts),
        seconds=round(time.perf_counter() - began, 1),
        image=reports[1] if len(reports) > 1 else None,
    )


def checked_calibration(texts: Sequence[str] | None) -> Sequence[str]:
    """The texts to calibrate on: those given, or the built-in ones.

    Raises:
        InputError: there are none, or something else than texts.
    """
    if texts is None:
        return calibration_texts()
    if isinstance(texts, str) or not all(isinstance(cast(object, text), str) for text in texts):
        raise InputError("calibration: expected a list of texts")
    if not any(text.strip() for text in texts):
        raise InputError("calibration: expected at least one text that is not empty, got none")
    return texts


def _refused(outcomes: Outcomes) -> dict[str, str]:
    """Why variants were refused, by name; of two towers, by name and tower."""
    return {
        f"{name} ({modality})" if len(outcomes) > 1 else name: why
        for modality, outcome in outcomes.items()
        for name, why in outcome.refused.items()
    }


def _tower_report(manifest: Manifest, modality: Modality, outcome: Outcome) -> TowerReport:
    variants = manifest.towers[modality].variants
    return TowerReport(
        variants=variants,
        sizes={v.name: manifest.files[v.file].bytes for v in variants},
        trials=trial_reports(outcome),
    )


def _write(stage: Path, source: Bundle, outcomes: Outcomes) -> Manifest:
    manifest = source.manifest
    files: dict[str, bytes | Path] = {name: source.path / name for name in manifest.files}
    sizes = {name: entry.bytes for name, entry in manifest.files.items()}
    for modality, outcome in outcomes.items():
        made = _named(source, modality, outcome)
        for old in manifest.towers[modality].variants:
            if old.name in made:
                files.pop(old.file)
        files |= {made[name].file: each.model for name, each in outcome.made.items()}
        sizes |= {made[name].file: each.size for name, each in outcome.made.items()}
        manifest = _with_variants(manifest, modality, made)
    golden = Golden.from_json(source.read(manifest.golden))
    truncations = measured_truncations(golden.vectors)
    files[_CARD] = model_card(manifest, sizes, (), truncations).encode()
    return write_bundle(stage, manifest, files).manifest


def _named(source: Bundle, modality: Modality, outcome: Outcome) -> dict[str, Variant]:
    """The new variants; their files are called as the fp32 one's is."""
    base = base_variant(source, modality)
    prefix = (
        base.file.removesuffix(f"{base.name}.onnx")
        if base.file.endswith(f"{base.name}.onnx")
        else ""
    )
    return {
        name: replace(as_variant(name, each), file=f"{prefix}{name}.onnx")
        for name, each in outcome.made.items()
    }


def _with_variants(manifest: Manifest, modality: Modality, made: Mapping[str, Variant]) -> Manifest:
    kept = (v for v in manifest.towers[modality].variants if v.name not in made)
    variants = (*kept, *made.values())
    if modality == "text":
        return replace(manifest, text=replace(manifest.text_tower(), variants=variants))
    return replace(manifest, image=replace(manifest.image_tower(), variants=variants))
