"""From a text source to a proven text tower."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx

from edgeembed_converters.export.encoders import TextEncoder
from edgeembed_converters.export.torch import export_module
from edgeembed_converters.graph.merge_linears import merge_linears
from edgeembed_converters.graph.unpadded_nodes import add_unpadded_nodes
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.pipeline.size import require_variant_that_fits
from edgeembed_converters.pipeline.table import table_tower
from edgeembed_converters.pipeline.tower import BuiltTower, built_tower
from edgeembed_converters.quantization.trial.calibration import calibration_texts
from edgeembed_converters.quantization.variants import make_variants
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.padding import padding_effect
from edgeembed_converters.validation.probe_texts import probe_texts
from edgeembed_converters.validation.prompted import PromptedVectors, prompted_vectors
from edgeembed_converters.validation.text_baseline import TextBaseline, measured_fidelity
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.bundle.signature import TEXT_INPUTS

# In place of a witness, in golden.json, the report and the model card.
NOT_WITNESSED = (
    "not witnessed: no library loads this model by itself, so the reference is the PyTorch module"
)


@dataclass(frozen=True, kw_only=True)
class ProvenText:
    """A text tower with what it was proven on; `notes` is what the user should know of the proof.

    `prompted` is what the witness returns for texts with prompts.
    """

    tower: BuiltTower
    golden: Golden
    prompted: PromptedVectors | None
    notes: tuple[str, ...]


def build_text_tower(source: TextSource, options: BuildOptions) -> ProvenText:
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


def _built(source: TextSource, options: BuildOptions, scratch: Path) -> ProvenText:
    options.on_step("Running the original on the probe texts")
    texts = probe_texts(source.max_tokens)
    witness = source.witness
    golden = Golden(
        texts=texts,
        vectors=parity.reference_vectors(source, texts),
        made_by=NOT_WITNESSED if witness is None else witness.made_by,
    )
    prompted = None if witness is None else prompted_vectors(source.name, witness, texts)
    padding = padding_effect(source, golden)

    table = source.plain_table
    if table is not None:
        return ProvenText(
            tower=table_tower(source, table, golden, options),
            golden=golden,
            prompted=prompted,
            notes=padding.notes,
        )

    options.on_step(f"Exporting with {options.exporter}")
    exported = merge_linears(_export(source, options, scratch))
    model = OnnxModel.of(add_unpadded_nodes(exported, source.max_tokens))

    options.on_step("Comparing with the original")
    baseline = TextBaseline(
        fp32=model,
        tokenizer=source.tokenizer,
        golden=golden,
        calibration_texts=calibration_texts(),
    )
    fidelity = measured_fidelity(model, baseline.tokenizer, golden)
    parity.require_parity(fidelity)

    outcome = make_variants(baseline, options.quantize, options.budget, options.on_step)
    return ProvenText(
        tower=built_tower(model, options.exporter, fidelity, outcome, padding=padding.allowed),
        golden=golden,
        prompted=prompted,
        notes=padding.notes,
    )


def _export(source: TextSource, options: BuildOptions, scratch: Path) -> onnx.ModelProto:
    if options.exporter == "optimum":
        from edgeembed_converters.export.optimum import export_with_optimum

        return export_with_optimum(source)
    encoder = TextEncoder(source)
    return export_module(encoder, options.examples, TEXT_INPUTS, encoder.outputs, scratch=scratch)
