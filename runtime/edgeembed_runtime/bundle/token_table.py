"""How many token ids a graph knows: the rows of the table that it looks them up in.

Read from the file, because not every provider fails on a row that is not there.
Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edgeembed_runtime._internal.protobuf import as_message, read_fields, read_varints
from edgeembed_runtime.bundle.signature import INPUT_IDS

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_INITIALIZER = 7, 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR = 1, 2, 4
_TENSOR_DIMS, _TENSOR_NAME = 1, 8
_LOOK_UPS = frozenset(("Gather", "GatherBlockQuantized"))
_SAME_VALUES = frozenset(("Identity", "Cast", "DequantizeLinear"))
# The graph of a variant that takes no padding adds zeros to the ids, to check its mask.
_CHECKED_IDS = f"unpadded_{INPUT_IDS}"


@dataclass(frozen=True, kw_only=True)
class _Node:
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def token_rows(model: bytes) -> int | None:
    """The number of rows that an ONNX model has for tokens: ids must be below it.

    None if it does not look `input_ids` up in a table of its own, or is of another format.
    """
    try:
        return _rows_of_tables(model)
    except (ValueError, IndexError):  # onnxruntime's own format
        return None


def _rows_of_tables(model: bytes) -> int | None:
    ids, tables = {INPUT_IDS, _CHECKED_IDS}, dict[str, str]()
    read: list[str] = []
    sizes: dict[str, int] = {}
    for number, value in _graph_fields(model):
        if number == _GRAPH_INITIALIZER:
            name, rows = _tensor(as_message(value))
            sizes[name] = rows
        elif number == _GRAPH_NODE:
            node = _node(as_message(value))
            if node.operator in _LOOK_UPS and node.inputs[1] in ids:
                read.append(node.inputs[0])
            elif node.operator in _SAME_VALUES and node.inputs[0] in ids:
                ids.update(node.outputs)
            elif node.operator in _SAME_VALUES:
                tables[node.outputs[0]] = node.inputs[0]
    found = [sizes[name] for name in (_origin(name, tables) for name in read) if name in sizes]
    return min(found, default=None)


def _origin(name: str, tables: dict[str, str]) -> str:
    while name in tables:
        name = tables[name]
    return name


def _graph_fields(model: bytes) -> Iterator[tuple[int, int | memoryview]]:
    for number, value in read_fields(memoryview(model)):
        if number == _MODEL_GRAPH:
            yield from read_fields(as_message(value))


def _node(data: memoryview) -> _Node:
    inputs: list[str] = []
    outputs: list[str] = []
    operator = ""
    for number, value in read_fields(data):
        if number == _NODE_INPUT:
            inputs.append(str(as_message(value), "utf-8"))
        elif number == _NODE_OUTPUT:
            outputs.append(str(as_message(value), "utf-8"))
        elif number == _NODE_OPERATOR:
            operator = str(as_message(value), "utf-8")
    return _Node(operator=operator, inputs=tuple(inputs), outputs=tuple(outputs))


def _tensor(data: memoryview) -> tuple[str, int]:
    """A tensor's name and its first dimension."""
    name, rows = "", 0
    for number, value in read_fields(data):
        if number == _TENSOR_NAME:
            name = str(as_message(value), "utf-8")
        elif number == _TENSOR_DIMS and not rows:  # packed or not, as the writer likes
            rows = value if isinstance(value, int) else next(read_varints(value), 0)
    return name, rows
