"""Constant folding for unpadded texts: what a graph recomputes although it never changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgeembed_converters.graph.editing import made_of, replace_inputs
from edgeembed_converters.graph.intermediate_values import Feeds, probe_values
from edgeembed_runtime.bundle.signature import INPUT_IDS
from edgeembed_runtime.engine.base import feeds

_Values = Mapping[str, NDArray[np.float32]]
# Lengths at which every value of a graph fits into memory.
_SHORT = 64


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
    short = [length for length in lengths if length <= _SHORT]
    names = sorted({name for each in found for name in (each.same, each.own)})
    seen = list(probe_values(model, names, map(_text, short)))
    found = [each for each in found if _broadcasts(each, seen) and _is_invariant(each, seen)]
    # Of long texts only what may be folded: nothing that is made of the ids, such as scores.
    same = sorted({each.same for each in found})
    seen += probe_values(model, same, (_text(length) for length in lengths if length > _SHORT))
    unmasked: dict[str, str] = {}
    for each in found:
        if not _is_invariant(each, seen):
            continue
        if each.node.op_type == "Mul":
            unmasked[each.node.output[0]] = each.own
        elif (row := _shared_row([values[each.same] for values in seen])) is not None:
            _add_constant(model.graph, each, row)
    replace_inputs(model.graph.node, unmasked)


def _text(length: int) -> Feeds:
    return feeds(np.zeros((2, length), np.int64))


def _broadcasts(operand: _Operand, seen: Sequence[_Values]) -> bool:
    shapes = [(values[operand.same].shape, values[operand.own].shape) for values in seen]
    return all(np.broadcast_shapes(same, own) == own for same, own in shapes)


def _is_invariant(operand: _Operand, seen: Sequence[_Values]) -> bool:
    values = [each[operand.same] for each in seen]
    if operand.node.op_type == "Mul":
        return all((value == 1).all() for value in values)
    return _shared_row(values) is not None


def _operands(graph: onnx.GraphProto) -> Iterator[_Operand]:
    constant = {tensor.name for tensor in graph.initializer}
    of_ids = made_of(graph, INPUT_IDS)
    for node in graph.node:
        if node.op_type in ("Add", "Mul") and len(of_ids.intersection(node.input)) == 1:
            own, same = sorted(node.input, key=lambda name: name not in of_ids)
            if same not in constant:
                yield _Operand(node=node, same=same, own=own)


def _shared_row(values: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    if any(value.ndim == 0 or value.shape[-1] != values[0].shape[-1] for value in values):
        return None
    rows = np.concatenate([value.reshape(-1, value.shape[-1]) for value in values])
    return rows[0] if (rows == rows[0]).all() else None


def _add_constant(graph: onnx.GraphProto, operand: _Operand, row: NDArray[np.float32]) -> None:
    name = f"{operand.node.output[0]}.row"
    graph.initializer.append(numpy_helper.from_array(row, name))
    replace_inputs([operand.node], {operand.same: name})
