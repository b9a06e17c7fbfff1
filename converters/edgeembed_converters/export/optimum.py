"""Export of the backbone by Optimum, for architectures that it supports better.

Optimum's graph ends with token vectors; pooling and head are exported by torch.onnx and appended.
"""

import tempfile
from pathlib import Path

import onnx
import torch

from edgeembed_converters._internal.quiet import quiet_export
from edgeembed_converters.export.encoders import PoolAndHead
from edgeembed_converters.export.torch import OPSET, export_module
from edgeembed_converters.graph.cleanup import clean_graph, drop_input, name_axes, rename_output
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle.signature import (
    ATTENTION_MASK,
    EMBEDDING,
    INPUT_IDS,
    TEXT_INPUTS,
    TOKEN_EMBEDDINGS,
)
from edgeembed_runtime.errors import ExportError, MissingExtraError, UnsupportedModelError

_HEAD = "head_"


def export_with_optimum(source: TextSource) -> onnx.ModelProto:
    """Export a text source that came from a directory.

    Raises:
        MissingExtraError: optimum-onnx is not installed.
        UnsupportedModelError: the source is a live module, or needs other inputs.
        ExportError: Optimum could not export it.
    """
    try:
        from optimum.exporters.onnx import main_export
    except ImportError as error:
        raise MissingExtraError.for_extra("exporter='optimum'", "optimum") from error
    if source.directory is None or not source.pooling:
        raise UnsupportedModelError("exporter='optimum': expected a model directory, got a module")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet_export():
                main_export(
                    str(source.directory),
                    output=folder,
                    task="feature-extraction",
                    opset=OPSET,
                    library_name="transformers",
                    do_validation=False,
                    local_files_only=True,
                    no_post_process=True,
                )
            backbone = onnx.load(Path(folder) / "model.onnx")
        except Exception as error:  # whatever the model's code and Optimum raise
            raise ExportError(f"Optimum could not export the model: {first_line(error)}") from error
    return clean_graph(_join(_text_inputs_only(backbone), source))


def _text_inputs_only(model: onnx.ModelProto) -> onnx.ModelProto:
    names = {value.name for value in model.graph.input}
    if "token_type_ids" in names:  # zeros for single texts
        model = drop_input(model, "token_type_ids", INPUT_IDS)
    extra = names - {*TEXT_INPUTS, "token_type_ids"}
    if extra:
        raise UnsupportedModelError(
            f"Optimum's graph: expected input_ids and attention_mask, found also {sorted(extra)}"
        )
    return model


def _join(backbone: onnx.ModelProto, source: TextSource) -> onnx.ModelProto:
    hidden_name = backbone.graph.output[0].name
    width = backbone.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    mask = torch.ones(2, 3, dtype=torch.int64)
    head = export_module(
        PoolAndHead(source).eval(),
        (torch.zeros(2, 3, width), mask),
        ["hidden", "mask"],
        [EMBEDDING],
    )
    head = onnx.compose.add_prefix(head, _HEAD)
    head.ir_version = backbone.ir_version = max(head.ir_version, backbone.ir_version)
    joined = onnx.compose.merge_models(
        backbone,
        head,
        io_map=[(hidden_name, f"{_HEAD}hidden")],
        outputs=[f"{_HEAD}{EMBEDDING}", hidden_name],
    )
    # merge_models keeps both models' imports; the quantizer refuses duplicate domains.
    versions = {item.domain: item.version for item in joined.opset_import}
    del joined.opset_import[:]
    joined.opset_import.extend(
        onnx.helper.make_opsetid(domain, version) for domain, version in versions.items()
    )
    joined = rename_output(_tie_mask(joined), hidden_name, TOKEN_EMBEDDINGS)
    return name_axes(joined)


def _tie_mask(model: onnx.ModelProto) -> onnx.ModelProto:
    """Feed the backbone's mask to the head, and restore the output's name."""
    graph = model.graph
    names = {f"{_HEAD}mask": ATTENTION_MASK, f"{_HEAD}{EMBEDDING}": EMBEDDING}
    for node in graph.node:
        for values in (node.input, node.output):
            for position, name in enumerate(values):
                values[position] = names.get(name, name)
    kept = [value for value in graph.input if value.name not in names]
    del graph.input[:]
    graph.input.extend(kept)
    for value in graph.output:
        value.name = names.get(value.name, value.name)
    return model
