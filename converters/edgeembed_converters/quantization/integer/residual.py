"""What rounding takes from a layer's input, multiplied in a second pass.

The input of a linear layer in 8 bits is x = q + r: the rounded values, and what rounding left. With
r in 8 bits too, of a scale of its own, q @ W + r @ W is as good as 16 bits of input, for the price
of two products in 8 bits: on processors with a dot product unit still half of one in fp32.
"""

from collections.abc import Collection

import onnx
from onnx import helper

from edgeembed_converters.graph.editing import copied, replace_nodes
from edgeembed_converters.graph.linears import linear_nodes


def with_residual(model: onnx.ModelProto, layers: Collection[str]) -> onnx.ModelProto:
    """A copy of an fp32 model whose `layers` (names of their outputs) have a product for the rest.

    To be quantized dynamically, which rounds the input of the first product: until then, when it
    is exact, the second one is too much.
    """
    copy = copied(model)
    linear = {node.output[0] for node, _ in linear_nodes(copy.graph)}.intersection(layers)
    biased = _biased(copy.graph, linear)
    merged = {node.output[0] for node in biased.values()}
    nodes: list[onnx.NodeProto] = []
    for node in copy.graph.node:
        name = node.output[0] if node.output else ""
        if name in linear:
            nodes += _two_passes(node, biased.get(name))
        elif name not in merged:
            nodes.append(node)
    replace_nodes(copy.graph, nodes)
    return copy


def _biased(graph: onnx.GraphProto, layers: Collection[str]) -> dict[str, onnx.NodeProto]:
    """The node that adds a bias to a layer, by the layer's output, where nobody else reads that."""
    weights = {tensor.name for tensor in graph.initializer}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    found: dict[str, onnx.NodeProto] = {}
    for name in layers:
        only = users.get(name, [])
        if len(only) == 1 and only[0].op_type == "Add" and weights.intersection(only[0].input):
            found[name] = only[0]
    return found


def _two_passes(layer: onnx.NodeProto, biased: onnx.NodeProto | None) -> list[onnx.NodeProto]:
    """The nodes in place of a layer and of the one that adds its bias.

    The bias goes to the first product, where onnxruntime takes it along at no cost.
    """
    (source, weight), name = layer.input, layer.output[0]
    rounded = [f"{name}.rounded", f"{name}.scale", f"{name}.zero"]
    again, rest = f"{name}.again", f"{name}.rest"
    first, second = f"{name}.first", f"{name}.second"
    nodes = [
        helper.make_node("DynamicQuantizeLinear", [source], rounded, rounded[0]),
        helper.make_node("DequantizeLinear", rounded, [again], again),
        helper.make_node("Sub", [source, again], [rest], rest),
        helper.make_node("MatMul", [source, weight], [first], first),
        helper.make_node("MatMul", [rest, weight], [second], second),
    ]
    if biased is None:
        return [*nodes, helper.make_node("Add", [first, second], [name], name)]
    bias = next(each for each in biased.input if each != name)
    total = biased.output[0]
    return [
        *nodes,
        helper.make_node("Add", [first, bias], [name], name),
        helper.make_node("Add", [name, second], [total], total),
    ]
