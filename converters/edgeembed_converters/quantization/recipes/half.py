"""fp16: weights and arithmetic in half precision, for GPUs and Apple's accelerators."""

import onnx

from edgeembed_converters.graph.cleanup import clean_graph
from edgeembed_converters.quantization.trial.subject import Made, Subject
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle.signature import TOKEN_EMBEDDINGS
from edgeembed_runtime.errors import ConversionError

# CPUs have no arithmetic in half precision that onnxruntime would use: there it is no gain.
REQUIRES = ("cuda", "coreml")


def half_precision(subject: Subject) -> Made:
    """Convert a model to fp16; its inputs and outputs keep their types.

    Raises:
        ConversionError: onnxruntime's converter failed on this graph.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        graph = onnx.load(subject.path)
        converted = convert_float_to_float16(
            graph, keep_io_types=True, node_block_list=_pooling_and_head(graph.graph)
        )
        _keep_digits(converted.graph)
        model = clean_graph(converted).SerializeToString(deterministic=True)
    except Exception as error:  # whatever a surprising graph makes the converter raise
        raise ConversionError(
            f"onnxruntime could not convert the model to fp16: {first_line(error)}; "
            "convert without it"
        ) from error
    return Made(
        recipe="float16",
        size=len(model),
        model=model,
        requires=REQUIRES,
        padding=True,
        fidelity=subject.fidelity(model),
        speedup=subject.speedup(model),
    )


def _pooling_and_head(graph: onnx.GraphProto) -> list[str]:
    """The names of all nodes behind the token vectors.

    Sums over many tokens and unit length would lose digits in half precision, and cost little.
    """
    reached = {TOKEN_EMBEDDINGS}
    names: list[str] = []
    for number, node in enumerate(graph.node):  # in the order in which they run
        if reached.intersection(node.input):
            node.name = node.name or f"behind_tokens_{number}"
            names.append(node.name)
            reached.update(node.output)
    return names


def _keep_digits(graph: onnx.GraphProto) -> None:
    """Let what is in full precision on both sides of a cast to half and back go round it."""
    casts = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT16
    }
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT:
            node.input[0] = casts.get(node.input[0], node.input[0])
