"""Attention of long texts in blocks of queries: the same vectors, without all scores at once.

The scores of a text of n tokens are heads x n x n numbers. For masked attention no operator of
onnxruntime's does without them on a CPU (fuse_attention.py has the unmasked kind), so a loop
computes them for some queries at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.graph.editing import replace_inputs, replace_nodes
from edgeembed_converters.graph.intermediate_values import probe_values
from edgeembed_runtime.bundle.signature import INPUT_IDS
from edgeembed_runtime.engine.base import feeds

# Texts of up to so many tokens are run as before: their scores take 4 MB for each head.
WHOLE_TOKENS = 1024
_BLOCK_TOKENS = 256
# Operators whose output at one query depends on that query's scores alone.
_ROW_WISE = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Min", "Max", "Where", "Clip", "Cast", "Identity", "Neg"),
        *("Tanh", "IsNaN", "Not", "And", "Or", "Equal", "Less", "Greater"),
    )
)
# Lengths of the probe texts: unlikely to equal a number of heads or a width.
_LENGTHS = (7, 11)
_LONG = "long_attention"


@dataclass(frozen=True, kw_only=True)
class _Attention:
    """One attention: from the product of queries and keys to that of weights and values."""

    product: onnx.NodeProto
    inner: Sequence[onnx.NodeProto]
    mixed: onnx.NodeProto

    @property
    def nodes(self) -> Sequence[onnx.NodeProto]:
        """All of its nodes, in order."""
        return [self.product, *self.inner, self.mixed]

    @property
    def sides(self) -> list[str]:
        """What enters it besides queries, keys and values: scales, masks, relative positions."""
        made = {name for node in self.nodes for name in node.output}
        names = (name for node in self.inner for name in node.input)
        return sorted({name for name in names if name and name not in made})


def attend_in_blocks(
    model: onnx.ModelProto, *, whole: int = WHOLE_TOKENS, block: int = _BLOCK_TOKENS
) -> bool:
    """Make attention over more than `whole` tokens take `block` queries at a time.

    Changes `model`; returns whether it has such attention. Shorter texts are run by the nodes that
    """
    found = _attentions(model.graph)
    ranks = _ranks(model, found)
    by_last = {a.mixed.output[0]: a for a in found if a.mixed.output[0] in ranks}
    if not by_last:
        return False
    replaced = {node.output[0] for a in by_last.values() for node in a.nodes}
    nodes = _lengths(model.graph, whole, min(block, whole))
    for node in model.graph.node:
        attention = by_last.get(node.output[0])
        if attention is not None:
            nodes.append(_choice(attention, ranks[node.output[0]]))
        elif node.output[0] not in replaced:
            nodes.append(node)
    replace_nodes(model.graph, nodes)
    return True


def _attentions(graph: onnx.GraphProto) -> list[_Attention]:
    made_by = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[onnx.NodeProto]] = {value.name: [] for value in graph.output}
    outputs = set(users)
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    found: list[_Attention] = []
    for softmax in graph.node:
        if softmax.op_type != "Softmax" or not _over_last_axis(softmax):
            continue
        product = _product(softmax.input[0], made_by)
        if product is not None and (a := _between(product, graph, users, outputs)) is not None:
            found.append(a)
    return found


def _over_last_axis(softmax: onnx.NodeProto) -> bool:
    return all(a.i in (-1, 3) for a in softmax.attribute if a.name == "axis")


def _product(name: str, made_by: Mapping[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """The one product of matrices that a value is computed from, query by query."""
    found: dict[str, onnx.NodeProto] = {}
    names = [name]
    while names:
        node = made_by.get(names.pop())
        if node is not None and node.op_type == "MatMul":
            found[node.output[0]] = node
        elif node is not None and node.op_type in _ROW_WISE:
            names += node.input
    return next(iter(found.values())) if len(found) == 1 else None


def _between(
    product: onnx.NodeProto,
    graph: onnx.GraphProto,
    users: Mapping[str, Sequence[onnx.NodeProto]],
    outputs: set[str],
) -> _Attention | None:
    """Everything that is made of the product up to the next one; None if more is made of it."""
    made = {product.output[0]}
    inner: list[onnx.NodeProto] = []
    mixed: onnx.NodeProto | None = None
    for node in graph.node:  # in topological order
        if not made.intersection(node.input):
            continue
        if node.op_type in _ROW_WISE or (node.op_type == "Softmax" and _over_last_axis(node)):
            inner.append(node)
            made.update(node.output)
        elif node.op_type == "MatMul" and mixed is None and node.input[1] not in made:
            mixed = node
        else:
            return None
    if mixed is None or made & outputs:
        return None
    inside = {node.output[0] for node in inner} | {mixed.output[0]}
    uses = [user for name in made for user in users.get(name, ())]
    if any(user.output[0] not in inside for user in uses):
        return None
    return _Attention(product=product, inner=inner, mixed=mixed)


@dataclass(frozen=True, kw_only=True)
class _Ranks:
    """How many axes the vectors of queries have, and each side that has an axis of queries."""

    queries: int
    sides: Mapping[str, int]


def _ranks(model: onnx.ModelProto, found: Sequence[_Attention]) -> Mapping[str, _Ranks]:
    """The ranks of each attention, by its output, where its shapes are those of an attention."""
    names = {n for a in found for n in (*a.product.input, *a.mixed.output, *a.sides)}
    names |= {a.mixed.input[1] for a in found}
    constant = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    values = list(
        probe_values(
            model,
            sorted(names - set(constant)),
            [feeds(np.zeros((1, length), np.int64)) for length in _LENGTHS],
        )
    )
    shapes = {name: [each[name].shape for each in values] for name in names - set(constant)}
    ranks: dict[str, _Ranks] = {}
    for a in found:
        ends = [shapes.get(name) for name in (a.product.input[0], a.mixed.output[0])]
        whole = all(end is not None and _has_queries(end) for end in ends)
        large = any(constant.get(name, 0) > 1 for name in a.sides)  # of one length only
        if whole and not large:
            sides = {
                n: len(shapes[n][0]) for n in a.sides if n in shapes and _has_queries(shapes[n])
            }
            assert ends[0] is not None
            ranks[a.mixed.output[0]] = _Ranks(queries=len(ends[0][0]), sides=sides)
    return ranks


def _has_queries(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether the last axis but one is as long as the text, at each length tried."""
    pairs = zip(shapes, _LENGTHS, strict=True)
    return all(len(shape) > 1 and shape[-2] == length for shape, length in pairs)


def _lengths(graph: onnx.GraphProto, whole: int, block: int) -> list[onnx.NodeProto]:
    """Nodes for what all attentions share: the text's length, and how it is cut."""
    numbers = {
        "whole": np.array(whole, np.int64),
        "block": np.array(block, np.int64),
        "block_less_one": np.array(block - 1, np.int64),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "places": np.array([-1], np.int64),
        "true": np.array(True),
    }
    for name, value in numbers.items():
        graph.initializer.append(numpy_helper.from_array(value, f"{_LONG}.{name}"))

    def node(operator: str, inputs: Sequence[str], output: str) -> onnx.NodeProto:
        names = [name if name == INPUT_IDS else f"{_LONG}.{name}" for name in inputs]
        return helper.make_node(operator, names, [f"{_LONG}.{output}"], f"{_LONG}.{output}")

    return [
        node("Shape", [INPUT_IDS], "shape"),
        node("Gather", ["shape", "one"], "tokens"),
        node("Greater", ["tokens", "whole"], "is_long"),
    ]


def _choice(attention: _Attention, ranks: _Ranks) -> onnx.NodeProto:
    """The attention in blocks for a long text, and as it was for a short one."""
    output = attention.mixed.output[0]
    short = [_renamed(node, f"{output}.short", attention) for node in attention.nodes]
    return helper.make_node(
        "If",
        [f"{_LONG}.is_long"],
        [output],
        f"{output}.choice",
        then_branch=_blocks(attention, ranks),
        else_branch=helper.make_graph(short, f"{output}.short", [], [_float(short[-1].output[0])]),
    )


def _blocks(attention: _Attention, ranks: _Ranks) -> onnx.GraphProto:
    """A graph that computes blocks of queries one by one and joins them.

    The last block ends with the text, so it repeats some queries of the one before.
    """
    name = f"{attention.mixed.output[0]}.long"
    axes = ranks.queries
    values = attention.mixed.input[1]
    weights = {
        "join": np.array([*[0] * (axes - 2), -1], np.int64),
        "last": np.array([-1], np.int64),
    }
    local = [numpy_helper.from_array(value, f"{name}.{key}") for key, value in weights.items()]

    def node(operator: str, inputs: Sequence[str], output: str, **options: Any) -> onnx.NodeProto:
        return helper.make_node(
            operator, list(inputs), [f"{name}.{output}"], f"{name}.{output}", **options
        )

    tokens, size, one = f"{_LONG}.tokens", f"{_LONG}.block", f"{_LONG}.one"
    nodes = [
        node("Add", [tokens, f"{_LONG}.block_less_one"], "rounded"),
        node("Div", [f"{name}.rounded", size], "count"),
        helper.make_node(
            "Loop",
            [f"{name}.count", f"{_LONG}.true"],
            [f"{name}.stacked"],
            f"{name}.loop",
            body=_body(attention, ranks, name),
        ),
        node(
            "Transpose",
            [f"{name}.stacked"],
            "ordered",
            perm=[*range(1, axes - 1), 0, axes - 1, axes],
        ),
        node("Shape", [values], "values_shape"),
        node("Gather", [f"{name}.values_shape", f"{name}.last"], "width"),
        node("Concat", [f"{name}.join", f"{name}.width"], "joined_shape", axis=0),
        node("Reshape", [f"{name}.ordered", f"{name}.joined_shape"], "joined"),
        node("Sub", [f"{name}.count", one], "full"),
        node("Mul", [f"{name}.full", size], "unrepeated"),
        node("Mul", [f"{name}.count", size], "rows"),
        node("Sub", [f"{name}.rows", tokens], "repeated"),
        node("Range", [f"{_LONG}.zero", tokens, one], "places"),
        node("Add", [f"{name}.places", f"{name}.repeated"], "shifted"),
        node("Less", [f"{name}.places", f"{name}.unrepeated"], "is_first"),
        node("Where", [f"{name}.is_first", f"{name}.places", f"{name}.shifted"], "kept"),
        node("Gather", [f"{name}.joined", f"{name}.kept"], "all", axis=axes - 2),
    ]
    return helper.make_graph(nodes, name, [], [_float(f"{name}.all")], local)


def _body(attention: _Attention, ranks: _Ranks, name: str) -> onnx.GraphProto:
    """One block: the attention with the rows of its queries and sides cut out."""
    at, go, on = f"{name}.at", f"{name}.go", f"{name}.on"
    queries = attention.product.input[0]
    cut = {queries: ranks.queries} | dict(ranks.sides)
    axes = {rank: f"{name}.axis_{rank}" for rank in set(cut.values())}
    local = [
        numpy_helper.from_array(np.array([rank - 2], np.int64), axis) for rank, axis in axes.items()
    ]

    def node(operator: str, inputs: Sequence[str], output: str) -> onnx.NodeProto:
        return helper.make_node(operator, list(inputs), [output], output)

    size, tokens, places = f"{_LONG}.block", f"{_LONG}.tokens", f"{_LONG}.places"
    nodes = [
        node("Identity", [go], on),
        node("Mul", [at, size], f"{name}.next"),
        node("Sub", [tokens, size], f"{name}.latest"),
        node("Min", [f"{name}.next", f"{name}.latest"], f"{name}.start"),
        node("Add", [f"{name}.start", size], f"{name}.end"),
        node("Reshape", [f"{name}.start", places], f"{name}.starts"),
        node("Reshape", [f"{name}.end", places], f"{name}.ends"),
    ]
    parts: dict[str, str] = {}
    for value, rank in cut.items():
        parts[value] = f"{name}.part.{value}"
        bounds = [value, f"{name}.starts", f"{name}.ends", axes[rank]]
        nodes.append(node("Slice", bounds, parts[value]))
    copies = [_renamed(each, f"{name}.block", attention) for each in attention.nodes]
    replace_inputs(copies[:1], {queries: parts[queries]})
    # Keys may be the queries themselves, and values one of the sides.
    copies[0].input[1] = attention.product.input[1]
    replace_inputs(copies[1:-1], {side: parts[side] for side in ranks.sides})
    nodes += copies
    return helper.make_graph(
        nodes,
        f"{name}.body",
        [
            helper.make_tensor_value_info(at, TensorProto.INT64, []),
            helper.make_tensor_value_info(go, TensorProto.BOOL, []),
        ],
        [
            helper.make_tensor_value_info(on, TensorProto.BOOL, []),
            _float(copies[-1].output[0]),
        ],
        local,
    )


def _renamed(node: onnx.NodeProto, prefix: str, attention: _Attention) -> onnx.NodeProto:
    """A copy whose values have names of their own: no name may be made twice in a graph."""
    made = {name for each in attention.nodes for name in each.output}
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = f"{prefix}.{node.name}"
    replace_inputs([copy], {name: f"{prefix}.{name}" for name in made})
    copy.output[:] = [f"{prefix}.{name}" for name in node.output]
    return copy


def _float(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
