"""Small edits of an exported graph: names, and what an exporter leaves behind."""

from collections.abc import Iterable, Mapping, Sequence

import onnx

from edgeembed_runtime.bundle.signature import BATCH_AXIS, TOKEN_AXIS
from edgeembed_runtime.errors import ExportError

PRODUCER = "edgeembed"
AXES = (BATCH_AXIS, TOKEN_AXIS)


def clean_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop notes of the exporter, which hold file paths and stack traces of this machine."""
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
    """Give the output `old` the name `new`; a value inside that has it already gives way."""
    _rename_value(model.graph, new, f"{new}_inner")
    _rename_value(model.graph, old, new)
    for output in model.graph.output:
        if output.name == old:
            output.name = new
    return model


def name_axes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Call the free axes of every input and output as docs/bundle-format.md does."""
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, AXES, strict=False):
            if not axis.HasField("dim_value"):
                axis.dim_param = name
    return model


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model, to be changed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def replace_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Put other nodes, some of which may be the graph's own, in place of all there are."""
    # Deleting the graph's own nodes would empty them.
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def replace_inputs(nodes: Iterable[onnx.NodeProto], names: Mapping[str, str]) -> None:
    """Let nodes take other values: the new names by the old ones."""
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Drop nodes and weights of which no output of the graph is made."""
    needed = {value.name for value in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):  # which stand in the order in which they run
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    replace_nodes(graph, kept[::-1])
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _rename_value(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new
    for tensor in graph.initializer:
        if tensor.name == old:
            tensor.name = new


def drop_input(model: onnx.ModelProto, name: str, like: str) -> onnx.ModelProto:
    """Replace the graph's input `name` by zeros of the shape and type of the input `like`."""
    graph = model.graph
    kept = [value for value in graph.input if value.name != name]
    if len(kept) == len(graph.input):
        raise ExportError(f"the graph has no input {name}")
    del graph.input[:]
    graph.input.extend(kept)
    zeros = onnx.helper.make_node("Sub", [like, like], [name], name=f"{name}_zeros")
    graph.node.insert(0, zeros)
    return model
