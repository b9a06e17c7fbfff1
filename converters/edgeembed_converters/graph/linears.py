"""Linear layers in a graph: products with a weight matrix."""

from dataclasses import dataclass

import onnx

from edgeembed_converters.graph.editing import count_uses


@dataclass(frozen=True, kw_only=True)
class WeightMatrix:
    """An (in, out) weight matrix, and the names of all values that are multiplied by it."""

    tensor: onnx.TensorProto
    inputs: tuple[str, ...]


def weight_matrices(graph: onnx.GraphProto) -> dict[str, WeightMatrix]:
    """Every matrix that is only used as the right operand of MatMul, by name."""
    tensors = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    uses = count_uses(graph)
    inputs: dict[str, list[str]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            inputs.setdefault(node.input[1], []).append(node.input[0])
    return {
        name: WeightMatrix(tensor=tensors[name], inputs=tuple(found))
        for name, found in inputs.items()
        if uses[name] == len(found)
    }


def linear_nodes(graph: onnx.GraphProto) -> list[tuple[onnx.NodeProto, onnx.TensorProto]]:
    """Every MatMul by a weight matrix that no other node uses, with that matrix."""
    own = {
        name: matrix.tensor
        for name, matrix in weight_matrices(graph).items()
        if len(matrix.inputs) == 1
    }
    return [
        (node, own[node.input[1]])
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in own
    ]
