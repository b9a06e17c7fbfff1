"""Strip the attention mask: a faster graph for unpadded texts, which refuses padding.

On a CPU the runtime runs one text at a time; the mask then only adds zeros to the scores.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgeembed_converters.graph.attention_blocks import WHOLE_TOKENS
from edgeembed_converters.graph.editing import (
    copied,
    drop_unused,
    made_of,
    replace_inputs,
    replace_nodes,
)
from edgeembed_converters.graph.fold_invariant import fold_invariants
from edgeembed_converters.graph.fuse_attention import fuse_attention
from edgeembed_converters.graph.intermediate_values import probe_values
from edgeembed_runtime.bundle.signature import ATTENTION_MASK, INPUT_IDS
from edgeembed_runtime.engine.base import feeds

# Lengths at which every value of a graph fits into memory.
_SHORT = 64
_COMPARISONS = frozenset(("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"))
# The name of the node that fails, which onnxruntime's message shows.
REFUSAL = "this_model_takes_no_padding"


def unpadded(model: onnx.ModelProto, max_tokens: int) -> onnx.ModelProto | None:
    """A faster copy of the model that takes no padding; None if no mask can be stripped.

    A mask is stripped if it adds only zeros at every length tried, up to `max_tokens`; those of
    sliding windows and relative positions stay, without their share of the attention mask. Models
    of short texts with nothing but such keep theirs, and take padding. A run with a mask that is
    not all ones fails.
    """
    copy = copied(model)
    lengths = sorted({1, 2, 7, 64, max_tokens})
    always = _always_true(copy, [length for length in lengths if length <= _SHORT])
    replace_inputs(copy.graph.node, always)
    drop_unused(copy.graph)
    skipped = _no_op_masks(copy, lengths)
    if not skipped and not (always and max_tokens > WHOLE_TOKENS):
        return None
    replace_inputs(copy.graph.node, skipped)
    drop_unused(copy.graph)
    fold_invariants(copy, lengths)
    fuse_attention(copy)
    _refuse_padding(copy.graph)
    drop_unused(copy.graph)
    return copy


def _always_true(model: onnx.ModelProto, lengths: Sequence[int]) -> Mapping[str, str]:
    """The names of conjunctions with the attention mask, each with the rest of it.

    Masks of windows are such: a text's tokens in reach, and no padding.
    """
    of_mask = made_of(model.graph, ATTENTION_MASK)
    of_places = {
        o for node in model.graph.node if node.op_type in _COMPARISONS for o in node.output
    }
    for node in model.graph.node:  # in topological order
        if of_places.intersection(node.input):
            of_places.update(node.output)
    pairs = {
        node.output[0]: (padding, rest)
        for node in model.graph.node
        if node.op_type == "And"
        for padding, rest in (tuple(node.input), tuple(reversed(node.input)))
        if padding in of_mask and padding not in of_places and rest not in of_mask
    }
    true = {padding for padding, _ in pairs.values()}
    texts = (feeds(np.zeros((1, length), np.int64)) for length in lengths)
    for values in probe_values(model, sorted(true), texts):
        true -= {name for name, value in values.items() if not value.all()}
    return {name: rest for name, (padding, rest) in pairs.items() if padding in true}


def _no_op_masks(model: onnx.ModelProto, lengths: Sequence[int]) -> Mapping[str, str]:
    """The names of masked scores whose mask does nothing, each with the unmasked scores.

    A mask is added to the scores, or selects where they are replaced.
    """
    softmaxed = {node.input[0] for node in model.graph.node if node.op_type == "Softmax"}
    masked = [node for node in model.graph.node if node.output[0] in softmaxed]
    sums = [node for node in masked if node.op_type == "Add"]
    choices = [node for node in masked if node.op_type == "Where"]
    constant = {tensor.name for tensor in model.graph.initializer}
    sides = {name for node in sums for name in node.input} | {node.input[0] for node in choices}
    nothing = sides - constant
    for length in lengths:  # each time only what is left, so no scores of the longest text
        text = feeds(np.zeros((1, length), np.int64))
        (values,) = probe_values(model, sorted(nothing), [text])
        nothing = {name for name, value in values.items() if not value.any()}
    added = {
        node.output[0]: scores
        for node in sums
        for scores, mask in (tuple(node.input), tuple(reversed(node.input)))
        if mask in nothing and scores not in nothing
    }
    replaced = {node.output[0]: node.input[2] for node in choices if node.input[0] in nothing}
    return added | replaced


def _refuse_padding(graph: onnx.GraphProto) -> None:
    """Make the graph fail on padding: it then looks up row 1 of a table with one row."""
    ids, mask, checked = INPUT_IDS, ATTENTION_MASK, f"unpadded_{INPUT_IDS}"
    replace_inputs(graph.node, {ids: checked})
    constants = {"zero_row": np.zeros(1, np.int64), "one": np.array(1, np.int64)}
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(value, f"{REFUSAL}.{name}"))
    rows, zeros = f"{REFUSAL}.rows", f"{REFUSAL}.zeros"
    check = [
        helper.make_node("Sub", [f"{REFUSAL}.one", mask], [rows], rows),
        helper.make_node("Gather", [f"{REFUSAL}.zero_row", rows], [zeros], REFUSAL),
        helper.make_node("Add", [ids, zeros], [checked], f"{REFUSAL}.ids"),
    ]
    replace_nodes(graph, [*check, *graph.node])
