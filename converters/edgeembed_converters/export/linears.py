"""Linear layers in a graph: products with a matrix of weights."""

import onnx


def linear_nodes(graph: onnx.GraphProto) -> list[tuple[onnx.NodeProto, onnx.TensorProto]]:
    """Every MatMul by an (in, out) matrix of weights that no other node uses, and that matrix."""
    weights = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    uses: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    return [
        (node, weights[node.input[1]])
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in weights and uses[node.input[1]] == 1
    ]
