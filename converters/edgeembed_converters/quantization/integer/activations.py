"""What a model's linear layers are given: measured on calibration inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.graph.linears import weight_matrices
from edgeembed_converters.graph.probe import Feeds, probe_values

# One product of many rows takes a quarter of the time of many products.
_ROWS_AT_A_TIME = 512


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

    `inputs` are run one by one. Needs 4 bytes for each pair of channels of every layer,
    and for each of some 512 rows of every layer.
    """
    matrices = weight_matrices(model.graph).values()
    names = list(dict.fromkeys(name for matrix in matrices for name in matrix.inputs))
    found: dict[str, Activations] = {}
    waiting: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for values in probe_values(model, names, inputs):
        for name, value in values.items():
            waiting[name].append(value.reshape(-1, value.shape[-1]))
        if names and sum(map(len, waiting[names[0]])) >= _ROWS_AT_A_TIME:
            _take(waiting, found)
    _take(waiting, found)
    return found


def _take(waiting: Mapping[str, list[NDArray[np.float32]]], found: dict[str, Activations]) -> None:
    """Add the rows that wait to what was found."""
    for name, rows in waiting.items():
        if not rows:
            continue
        x = np.concatenate(rows)
        rows.clear()
        maxima, gram = np.abs(x).max(axis=0), x.T @ x
        if name in found:
            maxima = np.maximum(maxima, found[name].maxima)
            gram += found[name].gram
        found[name] = Activations(maxima=maxima, gram=gram)
