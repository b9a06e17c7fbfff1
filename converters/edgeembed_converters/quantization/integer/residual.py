"""A second pass for the rounding error of a layer's input.

The input of an 8-bit linear layer is x = q + r: the rounded values and the residual. With r in 8
bits too, on its own scale, q @ W + r @ W is as precise as a 16-bit input, for the price of two
8-bit products: on processors with a dot product unit, still half of one fp32 product.
"""

from collections.abc import Collection

import onnx
from onnx import helper

from edgeembed_converters.graph.editing import copied, replace_nodes
from edgeembed_converters.graph.linears import linear_nodes


def with_residual(model: onnx.ModelProto, layers: Collection[str]) -> onnx.ModelProto:
    """A copy of an fp32 model whose `layers` (names of their outputs) multiply the residual too.

    Only correct once it is quantized dynamically, which rounds the input of the first product.
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
    """The node that adds a layer's bias, by the layer's output, if nothing else reads that."""
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
    """The nodes in place of a layer and its bias.

    The bias goes to the first product, where onnxruntime fuses it at no cost.
    """
    (source, weight), name = layer.input, layer.output[0]
    rounded = [f"{name}.rounded", f"{name}.scale", f"{name}.zero"]
    dequantized, rest = f"{name}.dequantized", f"{name}.residual"
    first, second = f"{name}.first", f"{name}.second"
    nodes = [
        helper.make_node("DynamicQuantizeLinear", [source], rounded, rounded[0]),
        helper.make_node("DequantizeLinear", rounded, [dequantized], dequantized),
        helper.make_node("Sub", [source, dequantized], [rest], rest),
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
