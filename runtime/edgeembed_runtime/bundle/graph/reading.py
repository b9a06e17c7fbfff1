"""Reading an ONNX file into its nodes and constants.

Whatever this reader and onnxruntime's could read differently is refused: fields that are there
twice, constants with more or fewer bytes than their shape has. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.protobuf import (
    Value,
    as_message,
    as_number,
    as_numbers,
    as_text,
    read_message,
    read_varints,
)

Values = NDArray[Any]

# Of a constant with more values, only the shape is kept: it is a weight, not a size.
MAX_KNOWN_VALUES = 4096
_ORT_FORMAT = b"ORTM"

_MODEL_OPSET, _MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 8, 7, 20, 25
_MODEL_ONCE = frozenset((1, 2, 3, 4, 5, 6))
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_GRAPH_ONCE = frozenset((2, 10))
_VALUE_NAME = 1
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_NODE_ONCE = frozenset((3, 4, 6, 7, 8))
_NODE_OVERLOAD = 8
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_TEXT, _ATTRIBUTE_TENSOR = 1, 3, 4, 5
_ATTRIBUTE_INTS, _ATTRIBUTE_TEXTS, _ATTRIBUTE_TYPE = 8, 9, 20
_ATTRIBUTE_FLOAT, _ATTRIBUTE_FLOATS = 2, 7
_ATTRIBUTE_ONCE = frozenset((1, 2, 3, 4, 5, 6, 13, 14, 20, 21, 22))
_TYPE_FLOAT, _TYPE_INT, _TYPE_TEXT, _TYPE_TENSOR, _TYPE_GRAPH = 1, 2, 3, 4, 5
_TYPE_FLOATS, _TYPE_INTS, _TYPE_TEXTS, _TYPE_GRAPHS = 6, 7, 8, 10
# The fields that an attribute of each type may have; onnxruntime reads no others of it.
_OWN_FIELD = {
    _TYPE_FLOAT: _ATTRIBUTE_FLOAT,
    _TYPE_INT: _ATTRIBUTE_INT,
    _TYPE_TEXT: _ATTRIBUTE_TEXT,
    _TYPE_TENSOR: _ATTRIBUTE_TENSOR,
    _TYPE_FLOATS: _ATTRIBUTE_FLOATS,
    _TYPE_INTS: _ATTRIBUTE_INTS,
    _TYPE_TEXTS: _ATTRIBUTE_TEXTS,
}
_ATTRIBUTE_VALUES = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 21, 22, 23))
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_SEGMENT, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 3, 8, 9
_TENSOR_FLOATS, _TENSOR_INT32S, _TENSOR_INT64S, _TENSOR_DOUBLES, _TENSOR_UINT64S = 4, 5, 7, 10, 11
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_TENSOR_ONCE = frozenset((2, 3, 8, 9, 12, 14))
_TENSOR_DATA = (_TENSOR_FLOATS, _TENSOR_INT32S, _TENSOR_INT64S, _TENSOR_DOUBLES, _TENSOR_UINT64S)

# Bits of an element by TensorProto.DataType; strings and complex numbers are refused.
BITS: Mapping[int, int] = {
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((7, 11, 13), 64),
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
}
DTYPES: Mapping[int, str] = {
    1: "<f4",
    2: "u1",
    3: "i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
}


class GraphError(ValueError):
    """A graph has something that is refused; says what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """A constant: its name, TensorProto.DataType and shape; its values if they are few.

    `external` says that they are in another file.
    """

    name: str
    kind: int
    shape: tuple[int, ...]
    values: Values | None
    external: bool = False

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return -(-math.prod(self.shape) * BITS[self.kind] // 8)


Attribute = int | str | tuple[int, ...] | tuple[str, ...] | Values | Tensor | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """An operator and its attributes; those that are float numbers are None."""

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The graph of an ONNX model. `opset` is the version of ONNX's operators."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int
    nbytes: int = field(default=0)


def read_graph(model: bytes) -> Graph:
    """Read an ONNX file.

    Raises:
        GraphError: it has something that is refused.
        ValueError, IndexError: the bytes are not an ONNX model, or parsers differ about them.
    """
    if model[4:8] == _ORT_FORMAT:  # onnxruntime would take it for its own format
        raise ValueError("onnxruntime's own format")
    fields = read_message(memoryview(model), _MODEL_ONCE)
    if _MODEL_FUNCTIONS in fields:
        raise GraphError("expected no functions, found one; convert again")
    if _MODEL_TRAINING in fields:
        raise GraphError("expected nothing for training, found some; convert again")
    graphs = fields.get(_MODEL_GRAPH, [])
    if len(graphs) != 1:
        raise GraphCountError(len(graphs))
    opset = 0
    for each in fields.get(_MODEL_OPSET, []):
        entry = read_message(as_message(each), (_OPSET_DOMAIN, _OPSET_VERSION))
        if _text(entry, _OPSET_DOMAIN) in ("", "ai.onnx"):
            opset = _number(entry, _OPSET_VERSION)
    return _graph(as_message(graphs[0]), opset, len(model))


class GraphCountError(ValueError):
    """A model has no graph, or more than one."""

    def __init__(self, found: int) -> None:
        """Remember how many were found."""
        super().__init__(f"expected an ONNX model with one graph, found {found}")


def _graph(data: memoryview, opset: int, size: int) -> Graph:
    fields = read_message(data, _GRAPH_ONCE)
    if _GRAPH_SPARSE in fields:
        raise GraphError("expected dense weights, found sparse ones; convert again")
    constants: dict[str, Tensor] = {}
    for value in fields.get(_GRAPH_INITIALIZER, []):
        tensor = _tensor(as_message(value))
        if tensor.name in constants:
            raise GraphError(f"expected one constant {tensor.name!r:.80}, found two")
        constants[tensor.name] = tensor
    inputs = tuple(_value_name(value) for value in fields.get(_GRAPH_INPUT, []))
    nodes = tuple(_node(as_message(value)) for value in fields.get(_GRAPH_NODE, []))
    return Graph(
        nodes=nodes,
        constants=constants,
        inputs=tuple(name for name in inputs if name not in constants),
        outputs=tuple(_value_name(value) for value in fields.get(_GRAPH_OUTPUT, [])),
        opset=opset,
        nbytes=size,
    )


def _value_name(value: Value) -> str:
    return _text(read_message(as_message(value), (_VALUE_NAME, 2, 3)), _VALUE_NAME)


def _node(data: memoryview) -> Node:
    fields = read_message(data, _NODE_ONCE)
    if fields.get(_NODE_OVERLOAD):
        raise GraphError("expected no overloaded functions, found one; convert again")
    domain = _text(fields, _NODE_DOMAIN)
    operator = _text(fields, _NODE_OPERATOR)
    attributes: dict[str, Attribute] = {}
    for each in fields.get(_NODE_ATTRIBUTE, []):
        name, value = _attribute(as_message(each), operator)
        if name in attributes:
            raise GraphError(f"operator {operator!r:.80}: attribute {name!r:.80} is there twice")
        attributes[name] = value
    return Node(
        operator=operator,
        domain="" if domain == "ai.onnx" else domain,
        inputs=tuple(map(as_text, fields.get(_NODE_INPUT, []))),
        outputs=tuple(map(as_text, fields.get(_NODE_OUTPUT, []))),
        attributes=attributes,
    )


def _attribute(data: memoryview, operator: str) -> tuple[str, Attribute]:
    fields = read_message(data, _ATTRIBUTE_ONCE)
    name, kind = _text(fields, _ATTRIBUTE_NAME), _number(fields, _ATTRIBUTE_TYPE)
    own = _OWN_FIELD.get(kind)
    if own is None or not fields.keys() & _ATTRIBUTE_VALUES <= {own}:
        what = "a graph" if kind in (_TYPE_GRAPH, _TYPE_GRAPHS) else f"one of type {kind}"
        raise GraphError(
            f"operator {operator!r:.80}: expected attributes of numbers, texts and dense tensors, "
            f"got {what} as {name!r:.80}; do not use this bundle"
        )
    values = fields.get(own, [])
    match own:
        case 3:
            return name, as_number(values[0]) if values else 0
        case 4:
            return name, as_text(values[0]) if values else ""
        case 5:
            return name, _tensor(as_message(values[0])) if values else None
        case 7 if all(isinstance(value, memoryview) for value in values):
            packed = b"".join(map(as_message, values))
            return name, np.frombuffer(packed[: 4 * MAX_KNOWN_VALUES], "<f4")
        case 8:
            return name, tuple(as_numbers(values))
        case 9:
            return name, tuple(map(as_text, values))
        case _:
            return name, None


def _tensor(data: memoryview) -> Tensor:
    fields = read_message(data, _TENSOR_ONCE)
    external = _TENSOR_EXTERNAL in fields or any(fields.get(_TENSOR_LOCATION, ()))
    name, kind = _text(fields, _TENSOR_NAME), _number(fields, _TENSOR_TYPE)
    if _TENSOR_SEGMENT in fields or kind not in BITS:
        raise GraphError(
            f"constant {name!r:.80}: expected whole numbers or floats, got type {kind}"
        )
    shape = tuple(as_numbers(fields.get(_TENSOR_DIMS, [])))
    # A whole number of any size in Python, so nothing wraps around.
    count = math.prod(shape) if min(shape, default=0) >= 0 else -1
    if external:
        return Tensor(name=name, kind=kind, shape=shape, values=None, external=True)
    raw = fields.get(_TENSOR_RAW)
    expected = -(-count * BITS[kind] // 8)
    others = [number for number in _TENSOR_DATA if number in fields]
    if raw is not None:
        stored = as_message(raw[0])
        if len(stored) != expected or others:
            raise _size_error(name, shape, f"{len(stored)} bytes")
        few = count <= MAX_KNOWN_VALUES and kind in DTYPES
        values = np.frombuffer(bytes(stored), DTYPES[kind]).reshape(shape) if few else None
        return Tensor(name=name, kind=kind, shape=shape, values=values)
    return Tensor(name=name, kind=kind, shape=shape, values=_typed(fields, name, kind, shape))


def _typed(
    fields: dict[int, list[Value]], name: str, kind: int, shape: tuple[int, ...]
) -> Values | None:
    """The values that a constant has in a field of their type, if they are few."""
    numbers = [number for number in _TENSOR_DATA if number in fields]
    count = math.prod(shape) if min(shape, default=0) >= 0 else -1
    if not numbers and count == 0:
        return np.zeros(shape, DTYPES.get(kind, "u1"))
    if len(numbers) != 1:
        raise _size_error(name, shape, f"{len(numbers)} fields of values")
    (number,) = numbers
    width = {_TENSOR_FLOATS: 4, _TENSOR_DOUBLES: 8}.get(number)
    if width is not None:
        stored = b"".join(map(as_message, fields[number]))
        found = len(stored) // width
        values: Values = np.frombuffer(stored[: found * width], f"<f{width}")
    else:
        found = sum(_length(value) for value in fields[number])
        values = np.array([], np.int64)
        if found <= MAX_KNOWN_VALUES:
            values = np.array(as_numbers(fields[number]), np.int64)
    packed = BITS[kind] < 8
    if found != (-(-count * BITS[kind] // 8) if packed else count):
        raise _size_error(name, shape, f"{found} values")
    if packed or found > MAX_KNOWN_VALUES or kind in (10, 16) or kind not in DTYPES:
        return None
    with np.errstate(all="ignore"):
        return values.astype(DTYPES[kind]).reshape(shape)


def _length(value: Value) -> int:
    return sum(1 for _ in read_varints(value)) if isinstance(value, memoryview) else 1


def _size_error(name: str, shape: tuple[int, ...], found: str) -> GraphError:
    return GraphError(f"constant {name!r:.80}: expected the values of a shape {shape}, got {found}")


def _text(fields: Mapping[int, list[Value]], number: int) -> str:
    return as_text(fields[number][0]) if number in fields else ""


def _number(fields: Mapping[int, list[Value]], number: int) -> int:
    return as_number(fields[number][0]) if number in fields else 0
