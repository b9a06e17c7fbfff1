"""From a trained model to a proven bundle."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.matryoshka.rotation import RotationKind, check_rotation, rotated
from edgeembed_converters.modules.pooling import Pooling
from edgeembed_converters.packaging.assemble import check_target, parts_of, write_proven
from edgeembed_converters.packaging.report import ConversionReport, conversion_report
from edgeembed_converters.pipeline.build import build_model
from edgeembed_converters.pipeline.options import BuildOptions, Exporter
from edgeembed_converters.quantization.registry import Quantization, checked_quantizations
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.sources.base.encoders import primary_source
from edgeembed_converters.sources.base.options import SourceOptions, check_text_options
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
    quantize: Quantization | str | Sequence[Quantization | str] | None = None,
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
    ignore: Sequence[str] = (),
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> ConversionReport:
    """Turn a trained encoder into a bundle, and prove that it returns the same vectors.

    Encoders of texts, of images (docs/how-to/convert-image-models.md), or of both in one space
    (CLIP, SigLIP).

    Args:
        source: a sentence-transformers, transformers or timm directory, a Hub id (needs the extra
            'hub' and a network), a live model of sentence-transformers, open_clip or timm, any
            live module, two of them (`ModulePair`), or a source of a registered kind.
        output: the directory to write. It appears whole, at the end, or not at all.
        quantize: variants to add to the fp32 one, by name or a list of names: "int8" for CPUs,
            "int8-faithful" (closer, slower), "int8-portable" (for x86 without VNNI too), "fp16"
            for GPUs and CoreML, or a registered recipe. Variants that miss their budget are left
            out; the report's notes say so. A model of more than 2 GB needs one: fp32 is left out.
        budget: what "int8" and "int8-portable" may lose.
        mobile: add files for phones: every variant in ORT format with the list of its operators,
            and a variant of fixed lengths (docs/reference/bundle-format.md).
        pooling: overrides the model's own; if it names none, "mean" is assumed and noted.
        normalize: whether vectors have unit length; overrides the model's own behavior.
        max_tokens: overrides the model's own limit; required for a live module.
        prompts: by name; overrides the model's own.
        rotate: rotate the space so that truncated vectors (`truncate_dim`) keep more; full vectors
            keep all their cosines. "learned" keeps more than "pca": docs/how-to/shorter-vectors.md.
        rotate_on: texts like those that will be encoded, to fit the rotation on; by default
            built-in texts and words of the model's own vocabulary.
        name: of the bundle; by default the source's.
        exporter: "torch" (torch.onnx) or "optimum" (needs the extra 'optimum').
        tokenizer: for a live module: a tokenizer.json path, or a tokenizers.Tokenizer; for an
            open_clip model, its own.
        preprocess: how images are prepared, for a live module, or to override the model's own: a
            Preprocess, or a torchvision transform (a Compose, or `weights.transforms()`).
        calibration_images: a folder or a list of images like those that will be encoded: "int8" of
            convolutional networks is calibrated on them. By default, images made by code.
        example_inputs: for a live module: input_ids and attention_mask of two or more texts; by
            default, small made-up ids.
        revision: of a Hub id.
        trust_remote_code: run Python code that comes with the model, and take a tokenizer whose
            time has no bound. Off unless you trust it.
        ignore: names of settings in the model's files that no library reads, and words of the
            libraries' warnings, that do not matter; by default, such a model is refused, as it may
            not be its authors'.
        overwrite: replace a bundle at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.

    Raises:
        UnsupportedModelError: a model, module or option that cannot be converted.
        ExportError: the exporter failed.
        ParityError: the exported model does not return the original's vectors.
        ConversionError: files are missing or damaged, or a download failed.
        StorageError: the disk is full, or `output` is taken.
        InputError: an option is unknown.
    """
    start = time.perf_counter()
    on_step = on_step or ignore_step
    target = Path(output)
    quantizations = checked_quantizations(quantize)
    check_text_options(pooling, max_tokens)
    _check_exporter(exporter)
    check_rotation(rotate, rotate_on)
    check_target(target, overwrite)
    source_options = SourceOptions(
        name=name,
        pooling=pooling,
        normalize=normalize,
        max_tokens=max_tokens,
        prompts=prompts,
        preprocess=preprocess,
        tokenizer=tokenizer,
        example_inputs=example_inputs,
        revision=revision,
        trust_remote_code=trust_remote_code,
        ignore=tuple(ignore),
    )
    options = BuildOptions(
        exporter=exporter,
        quantize=quantizations,
        budget=budget,
        mobile=mobile,
        example_inputs=example_inputs,
        calibration_images=calibration_images,
        on_step=on_step,
    )
    on_step("Loading the model")
    with opened_source(source, source_options) as loaded:
        if rotate is not None:
            on_step(f"Fitting the {rotate} rotation")
            loaded = rotated(loaded, rotate, rotate_on)
        built = build_model(loaded, options)
        manifest = write_proven(target, parts_of(built), overwrite=overwrite, on_step=on_step)
    primary = primary_source(built.source)
    return conversion_report(
        target,
        manifest,
        {modality: tower.outcome for modality, tower in built.towers.items()},
        pooling=primary.pooling_name,
        head=primary.head_names,
        exporter=exporter,
        truncations=built.truncations,
        witness=built.golden.made_by,
        notes=built.notes,
        seconds=time.perf_counter() - start,
    )


def _check_exporter(exporter: str) -> None:
    if exporter not in ("torch", "optimum"):
        raise InputError(f"exporter: expected 'torch' or 'optimum', got {exporter!r}")
