"""From a text source to a proven text tower."""

import tempfile
from pathlib import Path

import onnx

from edgeembed_converters.export.encoders import TextEncoder
from edgeembed_converters.export.torch import export_module
from edgeembed_converters.graph.merge_linears import merge_linears
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.pipeline.size import require_variant_that_fits
from edgeembed_converters.pipeline.tower import BuiltTower, built_tower
from edgeembed_converters.quantization.trial.calibration import calibration_texts
from edgeembed_converters.quantization.variants import make_variants
from edgeembed_converters.sources.base import TextSource
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.probe_texts import probe_texts
from edgeembed_converters.validation.text_baseline import TextBaseline, measured_fidelity
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.bundle.signature import TEXT_INPUTS
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer


def build_text_tower(source: TextSource, options: BuildOptions) -> tuple[BuiltTower, Golden]:
    """Export a text encoder, prove it on the probe texts, and quantize it.

    Raises:
        UnsupportedModelError: nothing that was asked for fits into one ONNX file.
        ExportError: the exporter failed.
        ParityError: the exported model is not the original.
        ConversionError: the model cannot be quantized.
    """
    require_variant_that_fits(source.name, TextEncoder(source), options)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        return _built(source, options, Path(scratch))


def _built(source: TextSource, options: BuildOptions, scratch: Path) -> tuple[BuiltTower, Golden]:
    options.on_step("Running the original on the probe texts")
    texts = probe_texts(source.max_tokens)
    golden = Golden(texts=texts, vectors=parity.reference_vectors(source, texts))

    options.on_step(f"Exporting with {options.exporter}")
    model = OnnxModel.of(merge_linears(_export(source, options, scratch)))

    options.on_step("Comparing with the original")
    baseline = TextBaseline(
        fp32=model,
        tokenizer=TextTokenizer.from_bytes(source.tokenizer_json, source.max_tokens, source.name),
        golden=golden,
        calibration_texts=calibration_texts(),
    )
    fidelity = measured_fidelity(model, baseline.tokenizer, golden)
    parity.require_parity(fidelity)

    outcome = make_variants(baseline, options.quantize, options.budget, options.on_step)
    return built_tower(model, options.exporter, fidelity, outcome), golden


def _export(source: TextSource, options: BuildOptions, scratch: Path) -> onnx.ModelProto:
    if options.exporter == "optimum":
        from edgeembed_converters.export.optimum import export_with_optimum

        return export_with_optimum(source)
    encoder = TextEncoder(source)
    return export_module(encoder, options.examples, TEXT_INPUTS, encoder.outputs, scratch=scratch)
