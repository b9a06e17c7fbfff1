"""Linear layers in a graph: products with a matrix of weights."""

from dataclasses import dataclass

import onnx

from edgeembed_converters.graph.editing import count_uses


@dataclass(frozen=True, kw_only=True)
class WeightMatrix:
    """An (in, out) matrix of weights, and the names of all values that are multiplied by it."""

    tensor: onnx.TensorProto
    inputs: tuple[str, ...]


def weight_matrices(graph: onnx.GraphProto) -> dict[str, WeightMatrix]:
    """Every matrix that a graph only uses as the right side of MatMul, by its name."""
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
    """Every MatMul by a matrix of weights that no other node uses, and that matrix."""
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
