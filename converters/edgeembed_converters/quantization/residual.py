"""What rounding takes from a layer's input, multiplied in a second pass.

The input of a linear layer in 8 bits is x = q + r: the rounded values, and what rounding left. With
r in 8 bits too, of a scale of its own, q @ W + r @ W is as good as 16 bits of input, for the price
of two products in 8 bits: on processors with a dot product unit still half of one in fp32.
"""

from collections.abc import Collection

import onnx
from onnx import helper

from edgeembed_converters.export.graph_cleanup import copied, replace_nodes
from edgeembed_converters.export.linears import linear_nodes


def with_residual(model: onnx.ModelProto, layers: Collection[str]) -> onnx.ModelProto:
    """A copy of an fp32 model whose `layers` (names of their outputs) have a product for the rest.

    To be quantized dynamically, which rounds the input of the first product: until then, when it
    is exact, the second one is too much.
    """
    copy = copied(model)
    linear = {node.output[0] for node, _ in linear_nodes(copy.graph)}.intersection(layers)
    nodes: list[onnx.NodeProto] = []
    for node in copy.graph.node:
        if node.output and node.output[0] in linear:
            nodes += _two_passes(node.input[0], node.input[1], node.output[0])
        else:
            nodes.append(node)
    replace_nodes(copy.graph, nodes)
    return copy


def _two_passes(source: str, weight: str, output: str) -> list[onnx.NodeProto]:
    rounded = [f"{output}.rounded", f"{output}.scale", f"{output}.zero"]
    again, rest = f"{output}.again", f"{output}.rest"
    first, second = f"{output}.first", f"{output}.second"
    return [
        helper.make_node("DynamicQuantizeLinear", [source], rounded, rounded[0]),
        helper.make_node("DequantizeLinear", rounded, [again], again),
        helper.make_node("Sub", [source, again], [rest], rest),
        helper.make_node("MatMul", [source, weight], [first], first),
        helper.make_node("MatMul", [rest, weight], [second], second),
        helper.make_node("Add", [first, second], [output], output),
    ]
