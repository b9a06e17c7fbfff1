"""From a trained model to a proven bundle."""

import contextlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgeembed_converters.build import BuiltModel, Exporter, build_model, notes_of, write_built
from edgeembed_converters.output import check_target, ignore_step
from edgeembed_converters.quantization.budget import Budget
from edgeembed_converters.quantization.variants import (
    OnStep,
    Quantization,
    checked_quantizations,
)
from edgeembed_converters.report import ConversionReport, trial_reports
from edgeembed_converters.sources.directory import SourceOptions, load_directory
from edgeembed_converters.sources.hub import download_model, is_hub_id
from edgeembed_converters.sources.live_module import (
    is_sentence_transformer,
    kept_modes,
    load_module,
    saved_sentence_transformer,
)
from edgeembed_converters.sources.source import POOLINGS, Pooling, TextSource
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import Manifest
from edgeembed_runtime.encoder import Encoder
from edgeembed_runtime.errors import InputError


def convert(
    source: str | Path | nn.Module,
    output: str | Path,
    *,
    quantize: Quantization | Sequence[Quantization] | None = None,
    budget: Budget | None = None,
    mobile: bool = False,
    pooling: Pooling | None = None,
    normalize: bool | None = None,
    max_tokens: int | None = None,
    prompts: Mapping[str, str] | None = None,
    name: str | None = None,
    exporter: Exporter = "torch",
    tokenizer: str | Path | Any = None,
    example_inputs: Sequence[Tensor] | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> ConversionReport:
    """Turn a trained text encoder into a bundle, and prove that it gives the same vectors.

    Args:
        source: a sentence-transformers or transformers directory, a Hub id (needs the extra 'hub'
            and a network), a SentenceTransformer, or any live module.
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
        name: of the bundle; by default the source's.
        exporter: "torch" (torch.onnx) or "optimum" (needs the extra 'optimum').
        tokenizer: for a live module: a tokenizer.json path, or a tokenizers.Tokenizer.
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
    check_target(target, overwrite)
    options = SourceOptions(
        name=name,
        pooling=pooling,
        normalize=normalize,
        max_tokens=max_tokens,
        prompts=prompts,
        trust_remote_code=trust_remote_code,
    )
    on_step("Loading the model")
    examples = _dummy_ids() if example_inputs is None else example_inputs
    with contextlib.ExitStack() as until_done:
        if isinstance(source, nn.Module):
            until_done.enter_context(kept_modes(source))
        if is_sentence_transformer(source):
            folder = until_done.enter_context(tempfile.TemporaryDirectory())
            source = saved_sentence_transformer(source, Path(folder))
        if isinstance(source, nn.Module):
            loaded = load_module(
                source, tokenizer=tokenizer, example_inputs=examples, options=options
            )
        else:
            loaded = _load(source, revision, options)
        built = build_model(
            loaded, exporter, quantizations, budget or Budget(), mobile, examples, on_step
        )
        on_step("Writing the bundle")
        stage = until_done.enter_context(storage.staged_directory(target, replace=overwrite))
        manifest = write_built(stage, built)
        on_step("Proving the bundle on its golden vectors")
        for variant in manifest.text.variants:
            Encoder.load(stage, variant=variant.name, verify="golden").close()
    return _report(target, built, manifest, exporter, time.perf_counter() - began)


def _check_options(pooling: str | None, exporter: str, max_tokens: int | None) -> None:
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise InputError(f"max_tokens: expected a positive number or None, got {max_tokens!r}")
    if pooling is not None and pooling not in POOLINGS:
        raise InputError(f"pooling: expected one of {', '.join(POOLINGS)}, got {pooling!r}")
    if exporter not in ("torch", "optimum"):
        raise InputError(f"exporter: expected 'torch' or 'optimum', got {exporter!r}")


def _load(source: str | Path, revision: str | None, options: SourceOptions) -> TextSource:
    path = Path(source)
    if path.is_dir():
        return load_directory(path, options, source_id=None, revision=revision)
    if isinstance(source, str) and is_hub_id(source) and not path.exists():
        directory, commit = download_model(source, revision)
        return load_directory(directory, options, source_id=source, revision=commit)
    found = "a file" if path.exists() else "nothing"
    raise InputError(f"source {source}: expected a model directory or a Hub id, found {found}")


def _dummy_ids() -> tuple[Tensor, Tensor]:
    # Two texts of unlike length: an axis of size 1, or a mask of ones, would become a constant.
    mask = torch.ones(2, 13, dtype=torch.int64)
    mask[1, 9:] = 0
    return torch.arange(26).reshape(2, 13) % 7 + 3, mask


def _report(
    target: Path, built: BuiltModel, manifest: Manifest, exporter: Exporter, seconds: float
) -> ConversionReport:
    return ConversionReport(
        path=target,
        name=manifest.name,
        source=manifest.source,
        space=manifest.space,
        dim=manifest.dim,
        max_tokens=manifest.text.max_tokens,
        pooling=manifest.text.pooling,
        head=manifest.text.head,
        exporter=exporter,
        variants=manifest.text.variants,
        sizes={name: made.size for name, made in built.models.items()},
        trials=trial_reports(built.outcome),
        seconds=round(seconds, 1),
        notes=notes_of(built),
    )
