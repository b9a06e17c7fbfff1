"""Everything between a loaded source and a written bundle: export, proof, quantization."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
from torch import Tensor

from edgeembed_converters import parity
from edgeembed_converters.export import text_tower, torch_exporter
from edgeembed_converters.export.merge_linears import merge_linears
from edgeembed_converters.export.mobile import mobile_files
from edgeembed_converters.measure import as_variant, measured_fidelity, text_subject
from edgeembed_converters.model_card import model_card
from edgeembed_converters.probe_texts import probe_texts
from edgeembed_converters.quantization.budget import Budget
from edgeembed_converters.quantization.calibration import calibration_texts
from edgeembed_converters.quantization.subject import Made
from edgeembed_converters.quantization.variants import (
    OnStep,
    Outcome,
    Quantization,
    make_variants,
)
from edgeembed_converters.sources.source import TextSource
from edgeembed_converters.space import space_of
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import Golden, Manifest, TextTower, write_bundle
from edgeembed_runtime.inputs.tokenizer import TextTokenizer
from edgeembed_runtime.version import __version__

Exporter = Literal["torch", "optimum"]
_INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True, kw_only=True)
class BuiltModel:
    """All that goes into a bundle: ONNX models by variant name, and what was measured of them."""

    source: TextSource
    models: Mapping[str, Made]
    golden: Golden
    outcome: Outcome
    mobile: Mapping[str, bytes]


def build_model(
    source: TextSource,
    exporter: Exporter,
    quantize: Sequence[Quantization],
    budget: Budget,
    mobile: bool,
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
    tokenizer = TextTokenizer.from_bytes(source.tokenizer_json, source.max_tokens, source.name)
    golden = Golden(texts=texts, vectors=reference)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fp32.onnx"
        with storage.storage_errors("write", path):
            torch_exporter.save_model(model, path)
        fp32 = path.read_bytes()
        measured = measured_fidelity(fp32, tokenizer, golden)
        parity.require_parity(measured)
        subject = text_subject(path, tokenizer, golden, calibration_texts())
        outcome = make_variants(subject, quantize, budget, on_step)
    exported = Made(
        recipe=f"{exporter}, float32",
        size=len(fp32),
        model=fp32,
        requires=(),
        padding=True,
        fidelity=measured,
        speedup=1.0,
    )
    models = {"fp32": exported, **outcome.made}
    if mobile:
        on_step("Converting for phones")
    return BuiltModel(
        source=source,
        models=models,
        golden=golden,
        outcome=outcome,
        mobile=mobile_files(models, source.max_tokens) if mobile else {},
    )


def _export(source: TextSource, exporter: Exporter, examples: Sequence[Tensor]) -> onnx.ModelProto:
    if exporter == "optimum":
        from edgeembed_converters.export.optimum_exporter import export_with_optimum

        return export_with_optimum(source)
    tower = text_tower.TextTower(source)
    return torch_exporter.export_module(tower, examples, _INPUTS, tower.outputs)


def notes_of(built: BuiltModel) -> tuple[str, ...]:
    """What was assumed, what was refused, and what else the user should know."""
    refused = (f"{name} was refused: {why}" for name, why in built.outcome.refused.items())
    return (*built.source.notes, *refused)


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
        variants=tuple(as_variant(name, made) for name, made in built.models.items()),
    )
    files: dict[str, bytes | Path] = {
        "tokenizer.json": source.tokenizer_json,
        "golden.json": built.golden.to_json(),
        **{variant.file: built.models[variant.name].model for variant in tower.variants},
        **built.mobile,
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
    sizes = {name: made.size for name, made in built.models.items()}
    files["README.md"] = model_card(manifest, sizes, notes_of(built)).encode()
    return write_bundle(stage, manifest, files).manifest
