"""fp16: weights and arithmetic in half precision, for GPUs and Apple's accelerators."""

import onnx

from edgeembed_converters.graph.cleanup import clean_graph
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle.signature import TOKEN_EMBEDDINGS
from edgeembed_runtime.errors import ConversionError

# onnxruntime has no fast half-precision kernels for CPUs: there it gains nothing.
REQUIRES = ("cuda", "coreml")


def half_precision(fp32: bytes) -> bytes:
    """Convert an ONNX model to fp16; its inputs and outputs keep their types.

    Raises:
        ConversionError: onnxruntime's converter failed on this graph.
    """
    from onnxruntime.transformers.float16 import (  # noqa: TID251 (a tool)
        convert_float_to_float16,
    )

    try:
        graph = onnx.load_from_string(fp32)
        converted = convert_float_to_float16(
            graph, keep_io_types=True, node_block_list=_pooling_and_head(graph.graph)
        )
        _skip_casts_to_half(converted.graph)
        return clean_graph(converted).SerializeToString(deterministic=True)
    except Exception as error:  # whatever the converter raises on an unusual graph
        raise ConversionError(
            f"onnxruntime could not convert the model to fp16: {first_line(error)}; "
            "convert without it"
        ) from error


def _pooling_and_head(graph: onnx.GraphProto) -> list[str]:
    """The names of all nodes downstream of the token vectors.

    Sums over many tokens and normalization would lose precision in fp16, and cost little.
    """
    reached = {TOKEN_EMBEDDINGS}
    names: list[str] = []
    for number, node in enumerate(graph.node):  # in topological order
        if reached.intersection(node.input):
            node.name = node.name or f"behind_tokens_{number}"
            names.append(node.name)
            reached.update(node.output)
    return names


def _skip_casts_to_half(graph: onnx.GraphProto) -> None:
    """Bypass pairs of casts from fp32 to fp16 and back, which would only lose digits."""
    casts = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT16
    }
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT:
            node.input[0] = casts.get(node.input[0], node.input[0])
