"""Fold per-channel scales into the weights that produce a value, where they cost nothing."""

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.graph.editing import count_uses
from edgeembed_converters.graph.weights import array_of, tensor_beside


class ScaleFolder:
    """Scales the weights of one graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        """Index a graph; `fold` changes its weights."""
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._made_by = {name: node for node in graph.node for name in node.output}
        self._uses = count_uses(graph)

    def fold(self, name: str, factors: NDArray[np.float32]) -> bool:
        """Multiply the (..., channels) value `name` by (channels,) factors; False if impossible.

        Works through normalizations and the value projection of fused attention, as long as
        nothing else reads the scaled values.
        """
        targets = self._targets(name, slice(0, len(factors)))
        for tensor, columns in targets:
            values = array_of(tensor).copy()
            values[..., columns] *= factors
            tensor.CopyFrom(tensor_beside(tensor, values, tensor.name))
        return bool(targets)

    def _targets(self, name: str, columns: slice) -> list[tuple[onnx.TensorProto, slice]]:
        """The weights to scale, each with its columns; none if it is impossible."""
        node = self._made_by.get(name)
        if node is None or self._uses[name] != 1:
            return []
        weights = [self._weights[i] for i in node.input if self._is_exclusive(i, columns)]
        match node.op_type:
            case "MultiHeadAttention":
                return self._targets(node.input[2], columns)
            case "Split" if node.input[1] in self._weights:
                sizes = array_of(self._weights[node.input[1]])
                start = int(sizes[: list(node.output).index(name)].sum())
                return self._targets(node.input[0], slice(start, start + columns.stop))
            case "Add" if len(weights) == 1:
                product = next(i for i in node.input if i != weights[0].name)
                upstream = self._targets(product, columns)
                return [*upstream, (weights[0], columns)] if upstream else []
            case "MatMul" if len(weights) == 1:
                return [(weights[0], columns)]
            case "LayerNormalization" if len(weights) == len(node.input) - 1:
                return [(weight, columns) for weight in weights]
            case _:
                return []

    def _is_exclusive(self, name: str, columns: slice) -> bool:
        tensor = self._weights.get(name)
        return (
            tensor is not None
            and self._uses[name] == 1
            and len(tensor.dims) > 0
            and tensor.dims[-1] >= columns.stop
        )
