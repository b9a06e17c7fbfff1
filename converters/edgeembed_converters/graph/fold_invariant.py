"""Constant folding for unpadded texts: what a graph recomputes although it never changes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgeembed_converters.graph.editing import replace_inputs
from edgeembed_converters.graph.intermediate_values import probe_values
from edgeembed_runtime.bundle.signature import INPUT_IDS
from edgeembed_runtime.engine.base import feeds


@dataclass(frozen=True, kw_only=True)
class _Operand:
    """The two operands of a node: `same` does not depend on the token ids, `own` does."""

    node: onnx.NodeProto
    same: str
    own: str


def fold_invariants(model: onnx.ModelProto, lengths: Sequence[int]) -> None:
    """Drop factors that are all ones, and turn rows that all tokens share into constants.

    The former is the pooling mask, the latter BERT's token types. What holds at each of `lengths`
    is assumed to hold at every length.
    """
    found = list(_operands(model.graph))
    names = sorted({name for each in found for name in (each.same, each.own)})
    texts = (feeds(np.zeros((2, length), np.int64)) for length in lengths)
    seen = list(probe_values(model, names, texts))
    unmasked: dict[str, str] = {}
    for each in found:
        sides = [(values[each.same], values[each.own]) for values in seen]
        if any(np.broadcast_shapes(a.shape, b.shape) != b.shape for a, b in sides):
            continue
        if each.node.op_type == "Mul" and all((same == 1).all() for same, _ in sides):
            unmasked[each.node.output[0]] = each.own
        elif each.node.op_type == "Add" and (row := _shared_row([a for a, _ in sides])) is not None:
            _add_constant(model.graph, each, row)
    replace_inputs(model.graph.node, unmasked)


def _operands(graph: onnx.GraphProto) -> Iterator[_Operand]:
    constant = {tensor.name for tensor in graph.initializer}
    of_ids = _made_of_ids(graph)
    for node in graph.node:
        if node.op_type in ("Add", "Mul") and len(of_ids.intersection(node.input)) == 1:
            own, same = sorted(node.input, key=lambda name: name not in of_ids)
            if same not in constant:
                yield _Operand(node=node, same=same, own=own)


def _made_of_ids(graph: onnx.GraphProto) -> set[str]:
    """Names of the values that depend on the ids themselves, not just on their number."""
    found = {INPUT_IDS}
    for node in graph.node:
        if node.op_type != "Shape" and found.intersection(node.input):
            found.update(node.output)
    return found


def _shared_row(values: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    if any(value.ndim == 0 or value.shape[-1] != values[0].shape[-1] for value in values):
        return None
    rows = np.concatenate([value.reshape(-1, value.shape[-1]) for value in values])
    return rows[0] if (rows == rows[0]).all() else None


def _add_constant(graph: onnx.GraphProto, operand: _Operand, row: NDArray[np.float32]) -> None:
    name = f"{operand.node.output[0]}.row"
    graph.initializer.append(numpy_helper.from_array(row, name))
    replace_inputs([operand.node], {operand.same: name})
