"""Edits that every rewrite of a graph is made of: copy, replace, rewire, prune."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx

# The domain of onnxruntime's own operators.
MICROSOFT = "com.microsoft"


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    """A deep copy of the model."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def replace_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Replace all nodes of the graph; `nodes` may include some of its current ones."""
    # Deleting the graph's own nodes would empty them.
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def replace_inputs(nodes: Iterable[onnx.NodeProto], names: Mapping[str, str]) -> None:
    """Rewire the inputs of nodes; `names` maps old value names to new ones."""
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Drop nodes and weights that no output of the graph depends on."""
    needed = {value.name for value in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):  # nodes are in topological order
        if needed.intersection(node.output):
            needed.update(_read(node))
            kept.append(node)
    replace_nodes(graph, kept[::-1])
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def count_uses(graph: onnx.GraphProto) -> Counter[str]:
    """How often each value is read, by name: as an input of a node or an output of the graph."""
    uses = Counter(name for node in graph.node for name in _read(node))
    uses.update(value.name for value in graph.output)
    return uses


def made_of(graph: onnx.GraphProto, source: str) -> set[str]:
    """The names of values that depend on the numbers in `source`, not just on their count."""
    found = {source}
    for node in graph.node:  # in topological order
        if node.op_type != "Shape" and found.intersection(node.input):
            found.update(node.output)
    return found


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """The names of what a node reads, and the nodes of the graphs inside it."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            for inner in attribute.g.node:
                yield from _read(inner)


def import_microsoft_operators(model: onnx.ModelProto) -> None:
    """Add onnxruntime's own operators to the model's opset imports."""
    if all(opset.domain != MICROSOFT for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(MICROSOFT, 1))
