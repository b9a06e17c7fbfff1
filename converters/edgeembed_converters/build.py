"""Everything between a loaded source and a written bundle: export, proof, quantization."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import Tensor

from edgeembed_converters import parity
from edgeembed_converters.export import text_tower, torch_exporter
from edgeembed_converters.export.merge_linears import merge_linears
from edgeembed_converters.model_card import model_card
from edgeembed_converters.probe_texts import probe_texts
from edgeembed_converters.quantize.calibration import calibration_texts, token_ids
from edgeembed_converters.quantize.dynamic import best_dynamic_int8
from edgeembed_converters.quantize.half import half_precision
from edgeembed_converters.quantize.quantized_model import Measure, Original, QuantizedModel
from edgeembed_converters.sources.source import TextSource
from edgeembed_converters.space import space_of
from edgeembed_converters.speed import speedup, this_machine
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import Fidelity, Golden, Manifest, TextTower, Variant, write_bundle
from edgeembed_runtime.inputs.tokenizer import TextTokenizer
from edgeembed_runtime.version import __version__

Exporter = Literal["torch", "optimum"]
Quantization = Literal["int8", "fp16"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
OnStep = Callable[[str], None]
_QUANTIZERS: Mapping[Quantization, Callable[[Original, Measure], QuantizedModel]] = {
    "int8": best_dynamic_int8,
    "fp16": half_precision,
}
_INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True, kw_only=True)
class BuiltModel:
    """All that goes into a bundle: ONNX models by variant name, and what was measured of them."""

    source: TextSource
    models: Mapping[str, bytes]
    variants: tuple[Variant, ...]
    golden: Golden


def build_model(
    source: TextSource,
    exporter: Exporter,
    quantize: Sequence[Quantization],
    example_inputs: Sequence[Tensor],
    on_step: OnStep,
) -> BuiltModel:
    """Export a source, prove the result against the original, quantize it if asked.

    Raises:
        ExportError: the exporter failed.
        ParityError: the exported model is not the original.
    """
    on_step("Running the original on the probe texts")
    texts = probe_texts(source.max_tokens)
    reference = parity.reference_vectors(source, texts)
    on_step(f"Exporting with {exporter}")
    model = _export(source, exporter, example_inputs)
    model = merge_linears(model)
    on_step("Comparing with the original")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fp32.onnx"
        with storage.storage_errors("write", path):
            torch_exporter.save_model(model, path)
        fp32 = path.read_bytes()
        measured = _measure(fp32, source, texts, reference)
        parity.require_parity(measured)
        models = {"fp32": fp32}
        exported = QuantizedModel(
            model=fp32, recipe=f"{exporter}, float32", requires=(), fidelity=measured
        )
        variants = [_variant("fp32", exported, 1.0)]
        original = Original(
            path=path,
            max_tokens=source.max_tokens,
            calibration=_calibration(source) if quantize else (),
        )
        for name in quantize:
            on_step(f"Quantizing to {name}")
            made = _QUANTIZERS[name](original, lambda m: _measure(m, source, texts, reference))
            models[name] = made.model
            gain = _speedup(made.model, fp32, source, texts)
            variants.append(_variant(name, made, gain))
    golden = Golden(texts=texts, vectors=reference)
    return BuiltModel(source=source, models=models, variants=tuple(variants), golden=golden)


def _export(source: TextSource, exporter: Exporter, examples: Sequence[Tensor]) -> onnx.ModelProto:
    if exporter == "optimum":
        from edgeembed_converters.export.optimum_exporter import export_with_optimum

        return export_with_optimum(source)
    tower = text_tower.TextTower(source)
    return torch_exporter.export_module(tower, examples, _INPUTS, tower.outputs)


def _calibration(source: TextSource) -> list[NDArray[np.int64]]:
    tokenizer = TextTokenizer.from_bytes(source.tokenizer_json, source.max_tokens, source.name)
    return token_ids(tokenizer, calibration_texts())


def _measure(
    model: bytes, source: TextSource, texts: Sequence[str], reference: NDArray[np.float32]
) -> Fidelity:
    engine = parity.engine_of(model, source)
    try:
        return parity.fidelity(reference, parity.runtime_vectors(engine, texts))
    finally:
        engine.close()


def _speedup(model: bytes, base: bytes, source: TextSource, texts: Sequence[str]) -> float:
    engines = [parity.engine_of(m, source) for m in (model, base)]
    try:
        return speedup(engines[0], engines[1], texts)
    finally:
        for engine in engines:
            engine.close()


def _variant(name: str, made: QuantizedModel, gain: float) -> Variant:
    return Variant(
        name=name,
        file=f"{name}.onnx",
        requires=made.requires,
        padding=made.padding,
        recipe=made.recipe,
        fidelity=made.fidelity,
        speedup=gain,
        measured_on=this_machine(),
    )


def write_built(stage: Path, built: BuiltModel) -> Manifest:
    """Write a built model as a bundle into the empty directory `stage`; returns its manifest."""
    source = built.source
    tower = TextTower(
        tokenizer="tokenizer.json",
        max_tokens=source.max_tokens,
        prompts=source.prompts,
        default_prompt_name=source.default_prompt_name,
        pooling="+".join(source.pooling),
        head=source.head_names,
        outputs=text_tower.outputs_of(source),
        variants=built.variants,
    )
    files: dict[str, bytes | Path] = {
        "tokenizer.json": source.tokenizer_json,
        "golden.json": built.golden.to_json(),
        **{f"{name}.onnx": model for name, model in built.models.items()},
        **source.card_files,
    }
    manifest = Manifest(
        name=source.name,
        space=space_of(source),
        dim=int(built.golden.vectors.shape[1]),
        similarity=source.similarity,
        normalized=source.normalized,
        source=source.source,
        text=tower,
        made_by=f"edgeembed {__version__}",
        files={},
    )
    sizes = {name: len(model) for name, model in built.models.items()}
    files["README.md"] = model_card(manifest, sizes, source.notes).encode()
    return write_bundle(stage, manifest, files).manifest
