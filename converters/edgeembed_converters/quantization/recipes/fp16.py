"""fp16: weights and arithmetic in half precision, for GPUs and Apple's accelerators."""

import onnx

from edgeembed_converters.graph.weights import TooLargeError, fits, one_file
from edgeembed_converters.quantization.half.convert import with_half_nodes
from edgeembed_converters.quantization.half.emulate import emulated
from edgeembed_converters.quantization.half.ranges import nodes_beyond_half
from edgeembed_converters.quantization.trial.baseline import Baseline
from edgeembed_converters.quantization.trial.candidate import (
    Candidate,
    RefusedError,
    load_unquantized,
    quantization_errors,
)
from edgeembed_runtime.bundle.signature import TOKEN_EMBEDDINGS

# onnxruntime has no fast half-precision kernels for CPUs: there it gains nothing.
_REQUIRES = ("cuda", "coreml")
# A model that stays larger than this share of fp32 is not worth the digits that it loses.
_MAX_SHARE = 0.75


def half_precision(baseline: Baseline) -> Candidate:
    """An fp16 model whose inputs and outputs are fp32; what fp16 cannot hold stays in fp32.

    Raises:
        RefusedError: too much of it has to stay in fp32.
        TooLargeError: half of the model does not fit into one file.
        ConversionError: it is not an ONNX model, or it is quantized already.
    """
    size = baseline.fp32.size
    if not fits(size / 2):
        raise TooLargeError.of("the model in fp16", size / 2)
    model = load_unquantized(baseline.fp32)
    with quantization_errors():
        beyond = nodes_beyond_half(model, [*baseline.calibration, *baseline.golden_inputs])
        head = _pooling_and_head(model.graph)
        half = with_half_nodes(model, beyond | head)
        made = one_file(half)
    kept = len(beyond - head)
    if len(made) > _MAX_SHARE * size:
        raise RefusedError(
            f"values of {kept} of {len(model.graph.node)} operators are beyond it; with these in "
            f"fp32 it would take {len(made) / size:.0%} of fp32's size: use fp32 or int8"
        )
    operators = "1 operator" if kept == 1 else f"{kept} operators"
    description = f"float16, {operators} in float32" if kept else "float16"
    return Candidate(
        description=description, requires=_REQUIRES, make=lambda: made, emulated=emulated
    )


def _pooling_and_head(graph: onnx.GraphProto) -> frozenset[str]:
    """All nodes downstream of the token vectors, by their first outputs.

    Sums over many tokens and normalization would lose precision in fp16, and cost little.
    """
    reached = {TOKEN_EMBEDDINGS}
    found: set[str] = set()
    for node in graph.node:  # in topological order
        if reached.intersection(node.input):
            found.add(node.output[0])
            reached.update(node.output)
    return frozenset(found)
