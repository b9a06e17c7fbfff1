"""Fuse unmasked attention into onnxruntime's CPU operator, which never stores the scores.

Source: MultiHeadAttention of https://onnxruntime.ai/docs/reference/operators/ContribOperators.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgeembed_converters.graph.editing import MICROSOFT, import_microsoft_operators, replace_nodes
from edgeembed_converters.graph.intermediate_values import probe_values
from edgeembed_converters.graph.weights import array_of
from edgeembed_runtime.engine.base import feeds

_HEADS_FIRST = [0, 2, 1, 3]
_KEYS_TRANSPOSED = [0, 2, 3, 1]
_LAST_TWO = [0, 1, 3, 2]
_MERGED = "merged_heads"
# The length of the probe text: unlikely to equal a number of heads or a width.
_TOKENS = 7


@dataclass(frozen=True, kw_only=True)
class _Attention:
    """One attention block: its values by name, and the scale of its scores."""

    query: "_Side"
    key: "_Side"
    value: "_Side"
    output: str
    query_heads: str
    scale: float

    @property
    def sides(self) -> "tuple[_Side, _Side, _Side]":
        """Queries, keys and values."""
        return self.query, self.key, self.value


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Queries, keys or values: (n, t, heads x width), or (n, heads, t, width) if `split`."""

    name: str
    split: bool = False


def fuse_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every attention block of the plain form. Changes and returns `model`.

    Leaves nodes that are no longer needed: see `drop_unused`.
    """
    graph = _Graph(model.graph)
    found = [a for node in model.graph.node if (a := graph.attention(node)) is not None]
    heads = _heads(model, found)
    by_output = {attention.output: attention for attention in found if attention.output in heads}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        attention = by_output.get(node.output[0]) if node.output else None
        nodes += [node] if attention is None else _fused(attention, heads[attention.output])
    replace_nodes(model.graph, nodes)
    if by_output:
        import_microsoft_operators(model)
        merged = np.array([0, 0, -1], np.int64)
        model.graph.initializer.append(numpy_helper.from_array(merged, _MERGED))
    return model


def _fused(attention: _Attention, heads: int) -> list[onnx.NodeProto]:
    nodes: list[onnx.NodeProto] = []
    inputs: list[str] = []
    for what, side in zip(("query", "key", "value"), attention.sides, strict=True):
        if not side.split:
            inputs.append(side.name)
            continue
        # The operator takes keys and values as they are, too, but no queries.
        ordered, merged = (f"{attention.output}.{what}.{step}" for step in ("ordered", "merged"))
        nodes += [
            helper.make_node("Transpose", [side.name], [ordered], ordered, perm=_HEADS_FIRST),
            helper.make_node("Reshape", [ordered, _MERGED], [merged], merged),
        ]
        inputs.append(merged)
    fused = helper.make_node(
        "MultiHeadAttention",
        inputs,
        [attention.output],
        f"{attention.output}.attention",
        domain=MICROSOFT,
        num_heads=heads,
        scale=attention.scale,
    )
    return [*nodes, fused]


def _heads(model: onnx.ModelProto, found: Sequence[_Attention]) -> Mapping[str, int]:
    """The number of heads of each attention block, by its output, where its values agree."""
    names = {name for a in found for name in (a.output, a.query_heads)}
    names |= {side.name for a in found for side in a.sides}
    text = feeds(np.zeros((1, _TOKENS), np.int64))
    heads: dict[str, int] = {}
    for values in probe_values(model, sorted(names), [text]):
        for a in found:
            if values[a.query_heads].ndim != len(_HEADS_FIRST):
                continue
            _, count, tokens, width = values[a.query_heads].shape
            merged, split = (1, _TOKENS, count * width), (1, count, _TOKENS, width)
            shapes = [values[s.name].shape == (split if s.split else merged) for s in a.sides]
            if tokens == _TOKENS and all(shapes) and values[a.output].shape == merged:
                heads[a.output] = count
    return heads


class _Graph:
    """A graph with an index of producers and consumers."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._made_by = {name: node for node in graph.node for name in node.output}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._users: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)

    def attention(self, softmax: onnx.NodeProto) -> _Attention | None:
        """The attention block around a Softmax, if it has the plain form.

        Reshape(Transpose(Softmax(scale * Q @ K) @ V)), where Q, K and V are Transpose(Reshape(x)),
        or anything else that is split into heads, such as rotated queries and keys.
        """
        mixed = self._only_user(softmax.output[0], "MatMul") if softmax.output else None
        if softmax.op_type != "Softmax" or mixed is None or mixed.input[0] != softmax.output[0]:
            return None
        scores, scale = self._unscaled(softmax.input[0])
        product = self._made_by.get(scores)
        if product is None or product.op_type != "MatMul":
            return None
        query_heads, query_scale = self._unscaled(product.input[0])
        key_heads, key_scale = self._unscaled(product.input[1])
        key = self._key(key_heads)
        output = self._after_heads(mixed.output[0])
        if key is None or output is None:
            return None
        return _Attention(
            query=self._side(query_heads),
            key=key,
            value=self._side(mixed.input[1]),
            output=output,
            query_heads=query_heads,
            scale=scale * query_scale * key_scale,
        )

    def _unscaled(self, name: str) -> tuple[str, float]:
        """The value before multiplication or division by a scalar, and the factor."""
        node = self._made_by.get(name)
        if node is None or node.op_type not in ("Mul", "Div"):
            return name, 1.0
        factor = self._constants.get(node.input[1])
        if factor is None or array_of(factor).size != 1:
            return name, 1.0
        number = float(array_of(factor).item())
        return node.input[0], number if node.op_type == "Mul" else 1 / number

    def _side(self, name: str) -> _Side:
        merged = self._before_heads(name, _HEADS_FIRST)
        return _Side(name=name, split=True) if merged is None else _Side(name=merged)

    def _key(self, name: str) -> _Side | None:
        merged = self._before_heads(name, _KEYS_TRANSPOSED)
        if merged is not None:
            return _Side(name=merged)
        node = self._made_by.get(name)
        return self._side(node.input[0]) if node and _transposes(node, _LAST_TWO) else None

    def _before_heads(self, name: str, order: Sequence[int]) -> str | None:
        """The value that was split into heads and transposed."""
        transpose = self._made_by.get(name)
        if transpose is None or not _transposes(transpose, order):
            return None
        reshape = self._made_by.get(transpose.input[0])
        return reshape.input[0] if reshape is not None and reshape.op_type == "Reshape" else None

    def _after_heads(self, name: str) -> str | None:
        """The value with the heads merged again."""
        transpose = self._only_user(name, "Transpose")
        if transpose is None or not _transposes(transpose, _HEADS_FIRST):
            return None
        reshape = self._only_user(transpose.output[0], "Reshape")
        return None if reshape is None else reshape.output[0]

    def _only_user(self, name: str, op_type: str) -> onnx.NodeProto | None:
        users = self._users.get(name, [])
        return users[0] if len(users) == 1 and users[0].op_type == op_type else None


def _transposes(node: onnx.NodeProto, order: Sequence[int]) -> bool:
    return node.op_type == "Transpose" and list(node.attribute[0].ints) == list(order)
