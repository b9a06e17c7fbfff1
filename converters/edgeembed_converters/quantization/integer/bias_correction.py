"""Bias correction: subtract from a layer's bias what rounded weights add to its output on average.

Source: Nagel et al., ICCV 2019, https://arxiv.org/abs/1906.04721, section 4.2, with measured means.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgeembed_converters.graph.editing import copied
from edgeembed_converters.graph.intermediate_values import Feeds, probe_values
from edgeembed_converters.quantization.trial.bits import LEVELS, Bits


def bias_corrected(model: onnx.ModelProto, inputs: Sequence[Feeds], bits: Bits) -> onnx.ModelProto:
    """A copy of the model with the biases of its convolutions corrected for `bits`-bit weights.

    Assumes a symmetric scale per output channel, and treats borders like the rest of the image.
    """
    copy = copied(model)
    weights = {tensor.name: tensor for tensor in copy.graph.initializer}
    layers = [
        node
        for node in copy.graph.node
        if node.op_type == "Conv" and len(node.input) == 3 and weights.keys() >= {*node.input[1:]}
    ]
    means = _channel_means(copy, {node.input[0] for node in layers}, inputs)
    for node in layers:
        kernel = numpy_helper.to_array(weights[node.input[1]]).astype(np.float64)
        bias = weights[node.input[2]]
        corrected = numpy_helper.to_array(bias) - _shift(kernel, means[node.input[0]], bits)
        bias.CopyFrom(numpy_helper.from_array(corrected.astype(np.float32), bias.name))
    return copy


def _channel_means(
    model: onnx.ModelProto, names: set[str], inputs: Sequence[Feeds]
) -> dict[str, NDArray[np.float64]]:
    """The mean of every channel of (n, channels, ...) values, over all inputs: (channels,) each."""
    given = {value.name for value in model.graph.input}
    sums: dict[str, NDArray[np.float64]] = {}
    inner = probe_values(model, sorted(names - given), inputs)
    for feeds, values in zip(inputs, inner, strict=True):
        for name in names:
            value = np.asarray(feeds[name] if name in given else values[name])
            mean = value.mean(axis=(0, *range(2, value.ndim)), dtype=np.float64)
            sums[name] = sums.get(name, np.zeros_like(mean)) + mean
    return {name: total / len(inputs) for name, total in sums.items()}


def _shift(
    kernel: NDArray[np.float64], means: NDArray[np.float64], bits: Bits
) -> NDArray[np.float64]:
    """What rounding an (out, in / groups, ...) kernel adds to each output channel on average."""
    flat = kernel.reshape(*kernel.shape[:2], -1)
    largest = np.abs(flat).max(axis=(1, 2), keepdims=True)
    scale = np.where(largest > 0, largest / LEVELS[bits], 1)
    lost = (np.round(flat / scale) * scale - flat).sum(axis=2)
    groups = len(means) // kernel.shape[1]
    # Each output only sees the channels of its group.
    seen = np.repeat(means.reshape(groups, -1), len(kernel) // groups, axis=0)
    return (lost * seen).sum(axis=1)
