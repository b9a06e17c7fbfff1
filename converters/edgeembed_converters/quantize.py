"""From a bundle to one with smaller variants, each through its gate."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from edgeembed_converters.measure import as_variant, text_subject
from edgeembed_converters.model_card import model_card
from edgeembed_converters.output import check_target, ignore_step
from edgeembed_converters.quantization.budget import Budget
from edgeembed_converters.quantization.calibration import calibration_texts
from edgeembed_converters.quantization.variants import (
    OnStep,
    Outcome,
    Quantization,
    checked_quantizations,
    make_variants,
)
from edgeembed_converters.report import QuantizationReport, trial_reports
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import Bundle, Golden, Manifest, write_bundle
from edgeembed_runtime.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, InputError
from edgeembed_runtime.inputs.tokenizer import TextTokenizer

_BASE = "fp32"
_CARD = "README.md"


def quantize(
    bundle: str | Path,
    output: str | Path,
    *,
    target: Quantization | Sequence[Quantization] = "int8",
    budget: Budget | None = None,
    calibration: Sequence[str] | None = None,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> QuantizationReport:
    """Make smaller variants of a bundle's fp32 model, and write them with it as a new bundle.

    Recipes are tried from the fastest to the most faithful one, until what is wanted is met. They
    are measured on the bundle's golden texts, which are never calibrated on.

    Args:
        bundle: the directory of a bundle with an fp32 variant; it is not changed.
        output: the directory to write. It appears whole, at the end, or not at all.
        target: as `quantize` of `convert`; a variant of the same name is replaced.
        budget: what "int8" and "int8-portable" may lose.
        calibration: texts like those that will be encoded, in place of the built-in ones.
        overwrite: replace a bundle that stands at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.

    Raises:
        ConversionError: no recipe meets the budget, or the model cannot be quantized.
        InputError: an option is unknown, the bundle has no fp32 variant, or there are no texts to
            calibrate on.
        BundleError: the bundle is damaged.
        StorageError: the disk is full, or `output` is taken.
    """
    began = time.perf_counter()
    on_step = on_step or ignore_step
    out = Path(output)
    wanted = checked_quantizations(target)
    if not wanted:
        raise InputError("target: expected a variant to make, got none")
    texts = checked_calibration(calibration)
    source = Bundle.open(bundle)
    if out.exists() and out.resolve() == source.path.resolve():
        raise InputError(f"output: {out} is the bundle itself, which is never changed")
    check_target(out, overwrite)
    outcome = _make(source, wanted, budget or Budget(), texts, on_step)
    if not outcome.made:
        refused = "; ".join(f"{name}: {why}" for name, why in outcome.refused.items())
        raise ConversionError(f"nothing was made of bundle {source.path}: {refused}")
    on_step("Writing the bundle")
    with storage.staged_directory(out, replace=overwrite) as stage:
        manifest = _write(stage, source, outcome)
        on_step("Proving the bundle on its golden vectors")
        for name in outcome.made:
            Encoder.load(stage, variant=name, verify="golden").close()
    return QuantizationReport(
        path=out,
        name=manifest.name,
        variants=manifest.text.variants,
        refused=outcome.refused,
        trials=trial_reports(outcome),
        calibrated_on=len(texts),
        seconds=round(time.perf_counter() - began, 1),
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


def _make(
    source: Bundle,
    wanted: Sequence[Quantization],
    budget: Budget,
    texts: Sequence[str],
    on_step: OnStep,
) -> Outcome:
    tower = source.manifest.text
    base = tower.variant(_BASE)
    if base is None:
        names = ", ".join(variant.name for variant in tower.variants)
        raise InputError(
            f"bundle {source.path}: expected an {_BASE} variant to start from, found {names}"
        )
    name = f"bundle {source.path}: {tower.tokenizer}"
    tokenizer = TextTokenizer.from_bytes(source.read(tower.tokenizer), tower.max_tokens, name)
    golden = Golden.from_json(source.read(source.manifest.golden))
    # Texts that are measured on must not be calibrated on.
    kept = [text for text in texts if text not in set(golden.texts)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{_BASE}.onnx"
        storage.write_file(path, source.read(base.file))
        subject = text_subject(path, tokenizer, golden, kept)
        if not subject.calibration:
            raise InputError(
                "calibration: the model's tokenizer finds no token in any of the texts"
            )
        return make_variants(subject, wanted, budget, on_step)


def _write(stage: Path, source: Bundle, outcome: Outcome) -> Manifest:
    made = {name: as_variant(name, trial) for name, trial in outcome.made.items()}
    old = source.manifest.text.variants
    variants = (*(v for v in old if v.name not in made), *made.values())
    replaced = {v.file for v in old if v.name in made}
    files: dict[str, bytes | Path] = {
        name: source.path / name for name in source.manifest.files if name not in replaced
    }
    files |= {made[name].file: each.model for name, each in outcome.made.items()}
    manifest = replace(source.manifest, text=replace(source.manifest.text, variants=variants))
    sizes = {
        v.name: outcome.made[v.name].size if v.name in made else source.manifest.files[v.file].bytes
        for v in variants
    }
    files[_CARD] = model_card(manifest, sizes, ()).encode()
    return write_bundle(stage, manifest, files).manifest
