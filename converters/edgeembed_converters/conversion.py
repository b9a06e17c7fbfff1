"""From a trained model to a proven bundle."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from edgeembed_converters.matryoshka.rotation import RotationKind, check_rotation, rotated
from edgeembed_converters.packaging.assemble import write_built, write_proven
from edgeembed_converters.packaging.build_report import report_of
from edgeembed_converters.packaging.report import ConversionReport
from edgeembed_converters.packaging.target import check_target, ignore_step
from edgeembed_converters.pipeline.build import build_model
from edgeembed_converters.pipeline.options import BuildOptions, Exporter
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.variants import (
    OnStep,
    Quantization,
    checked_quantizations,
)
from edgeembed_converters.sources.base import POOLINGS, Pooling
from edgeembed_converters.sources.live_text import dummy_ids
from edgeembed_converters.sources.options import SourceOptions
from edgeembed_converters.sources.registry import ModelSource, opened_source
from edgeembed_converters.validation.pixels import ImageInputs
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.errors import InputError


@public
def convert(
    source: ModelSource,
    output: str | Path,
    *,
    quantize: Quantization | Sequence[Quantization] | None = None,
    budget: Budget | None = None,
    mobile: bool = False,
    pooling: Pooling | None = None,
    normalize: bool | None = None,
    max_tokens: int | None = None,
    prompts: Mapping[str, str] | None = None,
    rotate: RotationKind | None = None,
    rotate_on: Sequence[str] | None = None,
    name: str | None = None,
    exporter: Exporter = "torch",
    tokenizer: str | Path | Any = None,
    preprocess: Preprocess | Any = None,
    calibration_images: ImageInputs | None = None,
    example_inputs: Sequence[Tensor] | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> ConversionReport:
    """Turn a trained encoder into a bundle, and prove that it gives the same vectors.

    Of texts, of images (docs/image-models.md), or of both in one space (CLIP, SigLIP).

    Args:
        source: a sentence-transformers, transformers or timm directory, a Hub id (needs the extra
            'hub' and a network), a live model of sentence-transformers, open_clip or timm, any
            live module, or two of them (`ModulePair`).
        output: the directory to write. It appears whole, at the end, or not at all.
        quantize: variants to add to the fp32 one, by name or a list of names: "int8" for CPUs,
            "int8-faithful" (closer, slower), "int8-portable" (for x86 without VNNI too), "fp16"
            for GPUs and CoreML. What misses its budget is left out, and noted in the report.
        budget: what "int8" and "int8-portable" may lose.
        mobile: add files for phones: every variant in ORT format with the list of its operators,
            and a variant of fixed lengths (docs/bundle-format.md).
        pooling: in place of the model's own; where it names none, "mean" is assumed and noted.
        normalize: whether vectors get unit length, in place of what the model does.
        max_tokens: in place of the model's own limit; needed for a live module.
        prompts: by name, in place of the model's own.
        rotate: turn the space so that cut vectors (`truncate_dim`) keep more; whole vectors keep
            all their cosines. "learned" keeps more than "pca" (docs/matryoshka.md).
        rotate_on: texts like those that will be encoded, to fit the rotation on, in place of the
            built-in ones and words of the model's own vocabulary.
        name: of the bundle; by default the source's.
        exporter: "torch" (torch.onnx) or "optimum" (needs the extra 'optimum').
        tokenizer: for a live module: a tokenizer.json path, or a tokenizers.Tokenizer; for a
            model of open_clip, its own.
        preprocess: how images are prepared, for a live module, or in place of the model's own: a
            Preprocess, or a transform of torchvision (a Compose, or `weights.transforms()`).
        calibration_images: a folder of images, or a list of them, like those that will be
            encoded: "int8" of convolution networks is calibrated on them. By default, made by code.
        example_inputs: for a live module: input_ids and attention_mask of two texts or more; by
            default, small made-up ids.
        revision: of a Hub id.
        trust_remote_code: run Python code that comes with the model. Off unless you trust it.
        overwrite: replace a bundle that stands at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.

    Raises:
        UnsupportedModelError: a model, module or option that cannot be converted.
        ExportError: the exporter failed.
        ParityError: the exported model does not give the original's vectors.
        ConversionError: files are missing or damaged, or a download failed.
        StorageError: the disk is full, or `output` is taken.
        InputError: an option is unknown.
    """
    began = time.perf_counter()
    on_step = on_step or ignore_step
    target = Path(output)
    quantizations = checked_quantizations(quantize)
    _check_options(pooling, exporter, max_tokens)
    check_rotation(rotate, rotate_on)
    check_target(target, overwrite)
    sourced = SourceOptions(
        name=name,
        pooling=pooling,
        normalize=normalize,
        max_tokens=max_tokens,
        prompts=prompts,
        preprocess=preprocess,
        tokenizer=tokenizer,
        example_inputs=example_inputs,
        trust_remote_code=trust_remote_code,
    )
    options = BuildOptions(
        exporter=exporter,
        quantize=quantizations,
        budget=budget or Budget(),
        mobile=mobile,
        example_inputs=dummy_ids() if example_inputs is None else example_inputs,
        calibration_images=calibration_images,
        on_step=on_step,
    )
    on_step("Loading the model")
    with opened_source(source, revision, sourced) as loaded:
        if rotate is not None:
            on_step(f"Fitting the {rotate} rotation")
            loaded = rotated(loaded, rotate, rotate_on)
        built = build_model(loaded, options)
    manifest = write_proven(
        target, lambda stage: write_built(stage, built), overwrite=overwrite, on_step=on_step
    )
    return report_of(target, built, manifest, options, time.perf_counter() - began)


def _check_options(pooling: str | None, exporter: str, max_tokens: int | None) -> None:
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise InputError(f"max_tokens: expected a positive number or None, got {max_tokens!r}")
    if pooling is not None and pooling not in POOLINGS:
        raise InputError(f"pooling: expected one of {', '.join(POOLINGS)}, got {pooling!r}")
    if exporter not in ("torch", "optimum"):
        raise InputError(f"exporter: expected 'torch' or 'optimum', got {exporter!r}")
