"""Which values of a graph fp16 cannot hold: too large, or so small that they lose their digits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.graph.editing import copied
from edgeembed_converters.graph.intermediate_values import Feeds, probe_values
from edgeembed_converters.graph.weights import array_of
from edgeembed_converters.quantization.half.types import value_types

_LARGEST = float(np.finfo(np.float16).max)
# Texts that were not measured may have larger activations: of MiniLM, over 450 abstracts and pieces
# of code, 1.4 times those of the 185 built-in texts; sums over tokens 2.2 times.
_MARGIN = 4
# Rounding to fp16 loses at most 0.05% of a number, but more and more of those below 6e-5. Beyond
# this share of a value's norm, too much of it is lost.
_LOST = 0.01
# Of the largest tables, copies would take much memory.
_AT_ONCE = 1 << 20
# Scores that masks hide; the probabilities after them are zero however they are rounded.
_HIDDEN = -1e9
# Operators that only move numbers.
_MOVES = frozenset(
    (
        *("Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split"),
        *("Squeeze", "Tile", "Transpose", "Unsqueeze"),
    )
)


def nodes_beyond_half(model: onnx.ModelProto, inputs: Sequence[Feeds]) -> frozenset[str]:
    """The nodes that read or make a value that fp16 cannot hold, by their first outputs.

    Values are measured over `inputs`, which are run one by one.

    Raises:
        RefusedError: the types of its values are not known.
    """
    types = value_types(model)
    floats = {name for name, kind in types.items() if kind == TensorProto.FLOAT}
    beyond = {t.name for t in model.graph.initializer if t.name in floats and _is_lost(array_of(t))}
    measured = [
        name
        for node in model.graph.node
        if node.op_type not in _MOVES
        for name in node.output
        if name in floats
    ]
    beyond |= _measured(model, measured, inputs)
    for node in model.graph.node:  # in topological order
        if node.op_type in _MOVES and beyond.intersection(node.input):
            beyond.update(node.output)
    return frozenset(
        node.output[0]
        for node in model.graph.node
        if not beyond.isdisjoint(node.input) or not beyond.isdisjoint(node.output)
    )


def _is_lost(weights: NDArray[np.float32]) -> bool:
    """Whether weights lose too much; those of masks may be anything."""
    flat, lost, total = weights.reshape(-1), 0.0, 0.0
    for start in range(0, len(flat), _AT_ONCE):
        part = flat[start : start + _AT_ONCE]
        plain = np.where(part > _HIDDEN, part, 0).astype(np.float64)
        if not np.abs(plain).max() <= _LARGEST:
            return True
        lost += float(np.square(plain - plain.astype(np.float16)).sum())
        total += float(np.square(plain).sum())
    return lost > _LOST**2 * total


def _measured(model: onnx.ModelProto, names: Sequence[str], inputs: Iterable[Feeds]) -> set[str]:
    """The values that are beyond fp16 for any input."""
    watched = copied(model)
    constants = {"hidden": _HIDDEN, "nothing": 0.0}
    for name, number in constants.items():
        value = np.array(number, np.float32)
        watched.graph.initializer.append(numpy_helper.from_array(value, f"watched.{name}"))
    for name in names:
        watched.graph.node.extend(_watching(name))
    outputs = [f"{name}.{what}" for name in names for what in ("peak", "lost", "total")]
    beyond: set[str] = set()
    for found in probe_values(watched, outputs, inputs):
        beyond.update(name for name in names if _is_beyond(name, found))
    return beyond


def _watching(name: str) -> Iterator[onnx.NodeProto]:
    """Nodes that reduce a value to three numbers while it is there: all would take much memory."""
    plain, half, wide = f"{name}.plain", f"{name}.as_half", f"{name}.as_wide"
    yield helper.make_node("Greater", [name, "watched.hidden"], [f"{name}.seen"])
    yield helper.make_node("Where", [f"{name}.seen", name, "watched.nothing"], [plain])
    yield helper.make_node("Abs", [plain], [f"{name}.size"])
    yield helper.make_node("ReduceMax", [f"{name}.size"], [f"{name}.peak"], keepdims=0)
    yield helper.make_node("Cast", [plain], [half], to=TensorProto.FLOAT16)
    yield helper.make_node("Cast", [half], [wide], to=TensorProto.FLOAT)
    yield helper.make_node("Sub", [plain, wide], [f"{name}.error"])
    yield helper.make_node("ReduceL2", [f"{name}.error"], [f"{name}.lost"], keepdims=0)
    yield helper.make_node("ReduceL2", [plain], [f"{name}.total"], keepdims=0)


def _is_beyond(name: str, found: Mapping[str, NDArray[np.float32]]) -> bool:
    peak, lost, total = (float(found[f"{name}.{what}"]) for what in ("peak", "lost", "total"))
    return not (peak * _MARGIN <= _LARGEST and lost <= _LOST * total)
