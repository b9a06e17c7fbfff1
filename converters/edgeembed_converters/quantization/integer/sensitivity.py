"""Which linear layers lose most from an 8-bit input."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.graph.intermediate_values import Feeds, probe_values
from edgeembed_converters.graph.linears import linear_nodes
from edgeembed_converters.graph.weights import array_of

_LEVELS = 255


def most_sensitive_first(model: onnx.ModelProto, inputs: Sequence[Feeds]) -> tuple[str, ...]:
    """The model's linear layers (names of their outputs), largest error first.

    The error is the relative squared error of a layer's output if its input is rounded as by
    onnxruntime's dynamic quantization, summed over `inputs`.
    """
    layers = {
        node.output[0]: (node.input[0], array_of(weight))
        for node, weight in linear_nodes(model.graph)
    }
    errors = dict.fromkeys(layers, 0.0)
    watched = sorted({source for source, _ in layers.values()})
    for values in probe_values(model, watched, inputs):
        for name, (source, weight) in layers.items():
            x = values[source].reshape(-1, weight.shape[0])
            lost, kept = (rounded(x) - x) @ weight, x @ weight
            errors[name] += float(np.square(lost).sum() / max(np.square(kept).sum(), 1e-30))
    return tuple(sorted(layers, key=errors.__getitem__, reverse=True))


def rounded(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """An array as DynamicQuantizeLinear rounds it: 256 levels between its extremes, including zero.

    Source: https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
    """
    low, high = min(float(x.min(initial=0)), 0.0), max(float(x.max(initial=0)), 0.0)
    scale = (high - low) / _LEVELS or 1.0
    zero = round(-low / scale)
    levels = np.clip(np.round(x / scale) + zero, 0, _LEVELS)
    return ((levels - zero) * scale).astype(np.float32)
