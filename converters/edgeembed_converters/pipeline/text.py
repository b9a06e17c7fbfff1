"""The text tower of a bundle, from a source of texts."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
from torch import Tensor

from edgeembed_converters.export import text_tower
from edgeembed_converters.export import torch as torch_exporter
from edgeembed_converters.graph.merge_linears import merge_linears
from edgeembed_converters.pipeline.options import BuildOptions, BuiltTower, Exporter, built_tower
from edgeembed_converters.quantization.trial.calibration import calibration_texts
from edgeembed_converters.sources.base import TextSource
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.fidelity import measured_fidelity, text_subject
from edgeembed_converters.validation.probe_texts import probe_texts
from edgeembed_runtime.bundle import Fidelity, Golden
from edgeembed_runtime.bundle.signature import TEXT_INPUTS
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer


def build_text_tower(source: TextSource, options: BuildOptions) -> tuple[BuiltTower, Golden]:
    """Export a text encoder, prove it on the probe texts, quantize it if asked.

    Raises:
        ExportError: the exporter failed.
        ParityError: the exported model is not the original.
    """
    options.on_step("Running the original on the probe texts")
    texts = probe_texts(source.max_tokens)
    golden = Golden(texts=texts, vectors=parity.reference_vectors(source, texts))
    options.on_step(f"Exporting with {options.exporter}")
    model = merge_linears(_export(source, options.exporter, options.example_inputs))
    options.on_step("Comparing with the original")
    tokenizer = TextTokenizer.from_bytes(source.tokenizer_json, source.max_tokens, source.name)

    def measured(fp32: bytes) -> Fidelity:
        found = measured_fidelity(fp32, tokenizer, golden)
        parity.require_parity(found)
        return found

    with tempfile.TemporaryDirectory() as folder:
        built = built_tower(
            model,
            Path(folder),
            options,
            measured,
            lambda path: text_subject(path, tokenizer, golden, calibration_texts()),
        )
    return built, golden


def _export(source: TextSource, exporter: Exporter, examples: Sequence[Tensor]) -> onnx.ModelProto:
    if exporter == "optimum":
        from edgeembed_converters.export.optimum import export_with_optimum

        return export_with_optimum(source)
    tower = text_tower.TextTower(source)
    return torch_exporter.export_module(tower, examples, TEXT_INPUTS, tower.outputs)
