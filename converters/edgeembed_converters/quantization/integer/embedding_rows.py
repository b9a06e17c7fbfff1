"""int8 embedding tables with a scale per row.

A scale for the whole table would be set by its largest row, and waste the levels of all others.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.graph.editing import copied, replace_nodes
from edgeembed_converters.graph.weights import array_of

# Smaller tables, such as token types, are not worth two more operators.
_MIN_ROWS = 64
_LEVELS = 127
# Rows; copies of the largest tables would take much memory.
_AT_ONCE = 8192


def quantize_embedding_rows(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model whose embedding tables (rows, width) are int8 with a scale per row."""
    copy = copied(model)
    graph = copy.graph
    tables = {
        tensor.name: tensor
        for tensor in graph.initializer
        if len(tensor.dims) == 2
        and tensor.dims[0] >= _MIN_ROWS
        and tensor.data_type == TensorProto.FLOAT
    }
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in tables and _axis(node) == 0:
            nodes += _lookup(node)
        else:
            nodes.append(node)
    replace_nodes(graph, nodes)
    used = {name for node in graph.node for name in node.input}
    for name, table in tables.items():
        if f"{name}.rows" in used:
            _add_rows(graph, name, array_of(table))
            if name not in used:
                graph.initializer.remove(table)
    return copy


def _lookup(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The nodes in place of a lookup: row times scale."""
    table, ids = node.input
    name = node.output[0]
    row, scale, number = f"{name}.row", f"{name}.scale", f"{name}.number"
    return [
        helper.make_node("Gather", [f"{table}.rows", ids], [row], row),
        helper.make_node("Gather", [f"{table}.scales", ids], [scale], scale),
        helper.make_node("Cast", [row], [number], number, to=TensorProto.FLOAT),
        helper.make_node("Mul", [number, scale], [name], name),
    ]


def rows_with_scales(
    table: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A (rows, width) table as int8, and the scale of each row: (rows, 1)."""
    levels = np.empty(table.shape, np.int8)
    scales = np.empty((len(table), 1), np.float32)
    for start in range(0, len(table), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        largest = np.abs(table[rows]).max(axis=1, keepdims=True)
        scales[rows] = np.where(largest > 0, largest / _LEVELS, 1)
        levels[rows] = np.round(table[rows] / scales[rows])
    return levels, scales


def _add_rows(graph: onnx.GraphProto, name: str, table: NDArray[np.float32]) -> None:
    rows, scales = rows_with_scales(table)
    graph.initializer.append(numpy_helper.from_array(rows, f"{name}.rows"))
    graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scales"))


def _axis(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
