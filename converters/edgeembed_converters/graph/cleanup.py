"""Clean up what an exporter wrote: its names, its notes, inputs that texts do not need."""

import onnx

from edgeembed_runtime.bundle.signature import BATCH_AXIS, TOKEN_AXIS
from edgeembed_runtime.errors import ExportError

PRODUCER = "edgeembed"
AXES = (BATCH_AXIS, TOKEN_AXIS)


def clean_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the exporter's notes, which hold file paths and stack traces of this machine."""
    model.producer_name, model.producer_version, model.doc_string = PRODUCER, "", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.name, graph.doc_string = PRODUCER, ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    return model


def rename_output(model: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    """Rename the output `old` to `new`; an inner value already named `new` is renamed first."""
    _rename_value(model.graph, new, f"{new}_inner")
    _rename_value(model.graph, old, new)
    for output in model.graph.output:
        if output.name == old:
            output.name = new
    return model


def name_axes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name the dynamic axes of every input and output as docs/reference/bundle-format.md does."""
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, AXES, strict=False):
            if not axis.HasField("dim_value"):
                axis.dim_param = name
    return model


def drop_input(model: onnx.ModelProto, name: str, like: str) -> onnx.ModelProto:
    """Replace the graph input `name` by zeros with the shape and type of the input `like`."""
    graph = model.graph
    kept = [value for value in graph.input if value.name != name]
    if len(kept) == len(graph.input):
        raise ExportError(f"the graph has no input {name}")
    del graph.input[:]
    graph.input.extend(kept)
    zeros = onnx.helper.make_node("Sub", [like, like], [name], name=f"{name}_zeros")
    graph.node.insert(0, zeros)
    return model


def _rename_value(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new
    for tensor in graph.initializer:
        if tensor.name == old:
            tensor.name = new
