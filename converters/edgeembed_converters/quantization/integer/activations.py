"""Statistics of the inputs of linear layers, measured on calibration inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.graph.intermediate_values import Feeds, probe_values
from edgeembed_converters.graph.linears import weight_matrices

# One product of many rows takes a quarter of the time of many small ones.
_ROWS_AT_A_TIME = 512
# Rounding needs five matrices of this size squared, in float64: 6 GB.
_MAX_CHANNELS = 12_288


@dataclass(frozen=True, kw_only=True)
class Activations:
    """Statistics of a layer's input x over all tokens of all calibration inputs.

    `maxima` holds the largest absolute value of each channel, (channels,); `gram` is the sum of
    x x^T, (channels, channels); None for layers of more channels than a machine has memory for.
    """

    maxima: NDArray[np.float32]
    gram: NDArray[np.float32] | None


def measured_activations(model: onnx.ModelProto, inputs: Sequence[Feeds]) -> dict[str, Activations]:
    """Activation statistics of every linear layer, by the name of its input in the graph.

    Runs `inputs` one by one. For each layer it needs 4 bytes per pair of channels, and 4 bytes per
    channel for some 512 rows.
    """
    matrices = weight_matrices(model.graph).values()
    names = list(dict.fromkeys(name for matrix in matrices for name in matrix.inputs))
    found: dict[str, Activations] = {}
    waiting: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for values in probe_values(model, names, inputs):
        for name, value in values.items():
            waiting[name].append(value.reshape(-1, value.shape[-1]))
        if names and sum(map(len, waiting[names[0]])) >= _ROWS_AT_A_TIME:
            _accumulate(waiting, found)
    _accumulate(waiting, found)
    return found


def _accumulate(
    waiting: Mapping[str, list[NDArray[np.float32]]], found: dict[str, Activations]
) -> None:
    """Add the waiting rows to the statistics."""
    for name, rows in waiting.items():
        if not rows:
            continue
        x = np.concatenate(rows)
        rows.clear()
        maxima = np.abs(x).max(axis=0)
        gram = x.T @ x if x.shape[1] <= _MAX_CHANNELS else None
        if name in found:
            maxima = np.maximum(maxima, found[name].maxima)
            gram = added(gram, found[name].gram)
        found[name] = Activations(maxima=maxima, gram=gram)


def added(
    first: NDArray[np.float32] | None, second: NDArray[np.float32] | None
) -> NDArray[np.float32] | None:
    """The sum of two matrices; None if either is."""
    return None if first is None or second is None else first + second
