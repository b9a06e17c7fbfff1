"""Which layers of a model a recipe left as they were."""

from collections import Counter

import onnx
from onnx import TensorProto

_LAYERS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))


def left_in_fp32(model: bytes) -> tuple[str, ...]:
    """Layers of an ONNX model with float32 weights, counted by operator: such as "1 Conv"."""
    graph = onnx.load_from_string(model).graph
    weights = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    counts = Counter(
        node.op_type
        for node in graph.node
        if node.op_type in _LAYERS and not weights.isdisjoint(node.input[1:2])
    )
    return tuple(f"{count} {operator}" for operator, count in sorted(counts.items()))
