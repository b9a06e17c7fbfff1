"""All weights of a model as integers, rounded for the measured inputs of its layers."""

import hashlib
from collections.abc import Mapping
from functools import reduce

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.graph.linears import weight_matrices
from edgeembed_converters.graph.weights import array_of
from edgeembed_converters.quantization.integer.activations import Activations, added
from edgeembed_converters.quantization.integer.rounding import IntegerWeight, rounded_weight
from edgeembed_converters.quantization.integer.smoothing import Smoothed
from edgeembed_converters.quantization.trial.bits import Bits


class WeightRounder:
    """Rounds the weights of copies of one model, and remembers the results."""

    def __init__(self, model: onnx.ModelProto, activations: Mapping[str, Activations]) -> None:
        """`activations` were measured on `model`."""
        self._grams = {
            name: reduce(added, (activations[each].gram for each in matrix.inputs))
            for name, matrix in weight_matrices(model.graph).items()
        }
        self._done: dict[tuple[str, Bits, bytes], IntegerWeight] = {}

    def integer_weights(self, copy: Smoothed, bits: Bits) -> dict[str, IntegerWeight]:
        """The weights of every linear layer, by name."""
        return {
            name: self._rounded(name, array_of(matrix.tensor), copy.scales, bits)
            for name, matrix in weight_matrices(copy.model.graph).items()
        }

    def _rounded(
        self,
        name: str,
        values: NDArray[np.float32],
        scales: Mapping[str, NDArray[np.float32]],
        bits: Bits,
    ) -> IntegerWeight:
        key = (name, bits, hashlib.sha256(values.tobytes()).digest())
        if key not in self._done:
            gram = self._grams[name]
            if gram is not None and name in scales:
                gram = gram / np.outer(scales[name], scales[name])
            self._done[key] = rounded_weight(values, gram, bits)
        return self._done[key]
