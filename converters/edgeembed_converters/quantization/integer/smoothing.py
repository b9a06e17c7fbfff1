"""SmoothQuant: move activation outliers into the weights, where there is room for them.

A few channels of a transformer's activations are many times larger than the rest; with one 8-bit
scale they leave few levels for all others. Each channel of a linear layer's input is divided by a
number, and the matching weights are multiplied by it: the product is unchanged.
Source: Xiao et al., ICML 2023, https://arxiv.org/abs/2211.10438.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgeembed_converters.graph.editing import copied, replace_nodes
from edgeembed_converters.graph.linears import linear_nodes
from edgeembed_converters.graph.weights import array_of, tensor_beside
from edgeembed_converters.quantization.integer.fold_scale import ScaleFolder

# Bounds the scale of channels that were silent on the calibration texts.
_MIN = 1e-5


@dataclass(frozen=True, kw_only=True)
class Smoothed:
    """A smoothed model.

    `scales` holds the divisors of the channels of each smoothed layer's input: (channels,) by the
    name of the layer's weights.
    """

    model: onnx.ModelProto
    scales: Mapping[str, NDArray[np.float32]]


def smoothed(
    model: onnx.ModelProto,
    maxima: Mapping[str, NDArray[np.float32]],
    strengths: Mapping[str, float],
) -> Smoothed:
    """A copy of the model with the outliers of its linear layers' inputs moved into the weights.

    `maxima` holds the largest absolute value of each channel of the layers' inputs, by input name.
    `strengths` (the paper's alpha), by the layers' output names, is how much of an outlier moves:
    0 nothing, 1 all. Layers that are not listed stay as they are.
    """
    copy = copied(model)
    folder = ScaleFolder(copy.graph)
    multiplied: dict[str, onnx.NodeProto] = {}
    scales: dict[str, NDArray[np.float32]] = {}
    # Last to first: folding changes the weights of an earlier layer.
    for node, weight in reversed(linear_nodes(copy.graph)):
        strength = strengths.get(node.output[0])
        if strength is None:
            continue
        values = array_of(weight)
        scale = _scale(maxima[node.input[0]], np.abs(values).max(axis=1), strength)
        scales[weight.name] = scale
        inverse = np.reciprocal(scale)
        weight.CopyFrom(tensor_beside(weight, values * scale[:, None], weight.name))
        if not folder.fold(node.input[0], inverse):
            divided, factor = f"{weight.name}.input", f"{weight.name}.smoothing"
            copy.graph.initializer.append(numpy_helper.from_array(inverse, factor))
            multiplied[node.output[0]] = onnx.helper.make_node(
                "Mul", [node.input[0], factor], [divided], divided
            )
            node.input[0] = divided
    nodes: list[onnx.NodeProto] = []
    for node in copy.graph.node:
        if node.output and node.output[0] in multiplied:
            nodes.append(multiplied[node.output[0]])
        nodes.append(node)
    replace_nodes(copy.graph, nodes)
    return Smoothed(model=copy, scales=scales)


def _scale(
    activations: NDArray[np.float32], weights: NDArray[np.float32], strength: float
) -> NDArray[np.float32]:
    scale = np.maximum(activations, _MIN).astype(np.float64) ** strength
    scale /= np.maximum(weights, _MIN).astype(np.float64) ** (1 - strength)
    # Only ratios of channels matter; values near 1 keep their precision.
    return (scale / np.exp(np.log(scale).mean())).astype(np.float32)
