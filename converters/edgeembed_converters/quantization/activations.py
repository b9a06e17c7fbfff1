"""What a model's linear layers are given: measured on calibration inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.export.inner_values import Feeds, inner_values
from edgeembed_converters.export.linears import weight_matrices


@dataclass(frozen=True, kw_only=True)
class Activations:
    """The input x of a layer, over all tokens of all calibration inputs.

    `maxima` are the largest absolute values of its channels, (channels,); `gram` is the sum of
    x x^T, (channels, channels): how they go together.
    """

    maxima: NDArray[np.float32]
    gram: NDArray[np.float32]


def measured_activations(model: onnx.ModelProto, inputs: Sequence[Feeds]) -> dict[str, Activations]:
    """The activations of every linear layer, by the name of its input in the graph.

    `inputs` are run one by one. Needs 4 bytes for each pair of channels of every layer.
    """
    matrices = weight_matrices(model.graph).values()
    names = list(dict.fromkeys(name for matrix in matrices for name in matrix.inputs))
    maxima: dict[str, NDArray[np.float32]] = {}
    grams: dict[str, NDArray[np.float32]] = {}
    for values in inner_values(model, names, inputs):
        for name, value in values.items():
            x = value.reshape(-1, value.shape[-1])
            largest = np.abs(x).max(axis=0)
            maxima[name] = np.maximum(maxima[name], largest) if name in maxima else largest
            if name in grams:
                grams[name] += x.T @ x
            else:
                grams[name] = x.T @ x
    return {name: Activations(maxima=maxima[name], gram=grams[name]) for name in maxima}
