"""The few numbers that a graph computes from shapes: shapes of later results depend on them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgeembed_runtime.bundle.graph.call import Call, Shape
from edgeembed_runtime.bundle.graph.elements import COMPARISONS
from edgeembed_runtime.bundle.graph.reading import DTYPES, MAX_KNOWN_VALUES, Values

Function = Callable[..., Any]


def known_values(call: Call, shape: Shape) -> Values | None:
    """The numbers of a node's first result, of this shape; None if they are unknown, or many."""
    operator = call.node.operator
    if any(side > MAX_KNOWN_VALUES for side in shape):
        return None
    if operator == "Shape":
        value = call.value(0)
        bounds = slice(call.number("start", 0), call.number("end", len(value.shape)))
        return np.array(value.shape, np.int64)[bounds]
    if operator == "Size":
        return np.array(call.value(0).size, np.int64)
    given = [value.values for value in call.inputs if value is not None]
    if any(each is None for each in given):
        return None
    values = [each for each in given if each is not None]
    if not call.exact and not (
        operator in _GROWING
        and (operator != "Gather" or call.value(1).exact)
        and all(each.size and each.min() >= 0 for each in values)
    ):
        return None
    if np.prod([float(side) for side in shape]) > MAX_KNOWN_VALUES:
        return None
    with np.errstate(all="ignore"):
        found = _computed(call, operator, values, shape)
    if found is None:
        return None
    found = np.asarray(found)
    return found if found.shape == shape else None


def _computed(call: Call, operator: str, values: list[Values], shape: Shape) -> Any:
    if function := _ELEMENTS.get(operator):
        return function(*values)
    if operator in _RESHAPES:
        return values[0].reshape(shape)
    if operator in _REDUCES:
        if math.prod(shape) != 1 or values[0].ndim != 1:
            return None
        return np.asarray(_REDUCES[operator](values[0]), values[0].dtype).reshape(shape)
    move = _MOVES.get(operator)
    return None if move is None else move(call, values, shape)


def _filled(call: Call, _: list[Values], shape: Shape) -> Any:
    tensor = call.tensor("value")
    value = np.float32(0) if tensor is None or tensor.values is None else tensor.values
    return np.broadcast_to(np.ravel(value)[0], shape)


def _cast(call: Call, values: list[Values], _: Shape) -> Any:
    kind = DTYPES.get(call.number("to", 0))
    return None if kind is None else values[0].astype(kind)


def _mod(call: Call, values: list[Values], _: Shape) -> Any:
    left, right = values
    if right.dtype.kind != "f" and not np.all(right):
        return None
    return np.fmod(left, right) if call.number("fmod", 0) else np.mod(left, right)


def _ranged(_: Call, values: list[Values], shape: Shape) -> Any:
    start, _, step = (each.ravel()[0] for each in values)
    return start + step * np.arange(shape[0], dtype=values[0].dtype)


def _sliced(call: Call, given: list[Values], _: Shape) -> Any:
    if call.opset < 10:
        return None
    values = given[0]
    starts, ends = call.known(1), call.known(2)
    axes = call.known(3) if call.has(3) else list(range(len(starts)))
    steps = call.known(4) if call.has(4) else [1] * len(starts)
    cuts = [slice(None)] * values.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        stop = end if step > 0 or end >= -values.shape[axis] else None
        cuts[axis] = slice(start, stop, step)
    return values[tuple(cuts)]


def _constant(call: Call, _: list[Values], __: Shape) -> Any:
    tensor = call.tensor("value")
    if tensor is not None:
        return tensor.values
    attributes = call.node.attributes
    for name in ("value_int", "value_ints"):
        if name in attributes:
            return np.array(attributes[name], np.int64)
    return attributes.get("value_floats")


def _divided(left: Values, right: Values) -> Any:
    if left.dtype.kind == "f":
        return left / right
    if not np.all(right):
        return None
    # ONNX rounds toward zero; sizes are small enough to be exact.
    return np.trunc(left / right).astype(left.dtype)


def top_value(call: Call, shape: Shape) -> int | None:
    """What the numbers of a node's result are at most; None if nothing is known of them.

    Truth values are 0 or 1, and models count those that are true.
    """
    operator = call.node.operator
    if operator in COMPARISONS:
        return 1
    top = call.inputs[0].top if call.inputs and call.inputs[0] is not None else None
    if top is not None and operator == "ReduceSum":
        return top * max(1, call.value(0).size // max(1, math.prod(shape)))
    return top if operator in _SAME_NUMBERS else None


_RESHAPES = frozenset(("Reshape", "Squeeze", "Unsqueeze", "Flatten"))
_SAME_NUMBERS = _RESHAPES | {"Cast", "Identity", "Transpose"}
# Their results grow with what they are given: of upper bounds, they make upper bounds.
_GROWING = _SAME_NUMBERS | {
    "Concat",
    "Gather",
    "Slice",
    "Expand",
    "Tile",
    "Add",
    "Mul",
    "Max",
    "Min",
}
_REDUCES: Mapping[str, Function] = {
    "ReduceProd": np.prod,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceSum": np.sum,
}
_MOVES: Mapping[str, Callable[[Call, list[Values], Shape], Any]] = {
    "Cast": _cast,
    "Concat": lambda call, values, _: np.concatenate(values, axis=call.number("axis", 0)),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Expand": lambda _, values, shape: np.broadcast_to(values[0], shape),
    "Gather": lambda call, values, _: np.take(
        values[0], values[1].astype(np.int64), axis=call.number("axis", 0)
    ),
    "Mod": _mod,
    "Range": _ranged,
    "Slice": _sliced,
    "Tile": lambda _, values, __: np.tile(values[0], values[1].astype(np.int64)),
    "Transpose": lambda call, values, _: values[0].transpose(call.numbers("perm")),
}
_ELEMENTS: Mapping[str, Function] = {
    "Identity": np.asarray,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divided,
    "Neg": np.negative,
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Sqrt": np.sqrt,
    "Not": np.logical_not,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Where": np.where,
    "Max": lambda *values: np.max(np.broadcast_arrays(*values), axis=0),
    "Min": lambda *values: np.min(np.broadcast_arrays(*values), axis=0),
}
