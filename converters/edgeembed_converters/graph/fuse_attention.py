"""Fuse unmasked attention into onnxruntime's CPU operator, which never stores the scores.

Source: MultiHeadAttention of https://onnxruntime.ai/docs/reference/operators/ContribOperators.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from edgeembed_converters.graph.editing import MICROSOFT, import_microsoft_operators, replace_nodes
from edgeembed_converters.graph.intermediate_values import probe_values
from edgeembed_converters.graph.weights import array_of
from edgeembed_runtime.engine.base import feeds

_HEADS_FIRST = [0, 2, 1, 3]
_KEYS_TRANSPOSED = [0, 2, 3, 1]
# The length of the probe text: unlikely to equal a number of heads or a width.
_TOKENS = 7


@dataclass(frozen=True, kw_only=True)
class _Attention:
    """One attention block: names of (n, t, heads x width) values, and the scale of its scores."""

    query: str
    key: str
    value: str
    output: str
    query_heads: str
    scale: float


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
        nodes.append(node if attention is None else _fused(attention, heads[attention.output]))
    replace_nodes(model.graph, nodes)
    if by_output:
        import_microsoft_operators(model)
    return model


def _fused(attention: _Attention, heads: int) -> onnx.NodeProto:
    return helper.make_node(
        "MultiHeadAttention",
        [attention.query, attention.key, attention.value],
        [attention.output],
        f"{attention.output}.attention",
        domain=MICROSOFT,
        num_heads=heads,
        scale=attention.scale,
    )


def _heads(model: onnx.ModelProto, found: Sequence[_Attention]) -> Mapping[str, int]:
    """The number of heads of each attention block, by its output, where its values agree."""
    names = {name for a in found for name in (a.query, a.key, a.value, a.output, a.query_heads)}
    text = feeds(np.zeros((1, _TOKENS), np.int64))
    heads: dict[str, int] = {}
    for values in probe_values(model, sorted(names), [text]):
        for a in found:
            _, count, tokens, width = values[a.query_heads].shape
            sides = {values[name].shape for name in (a.query, a.key, a.value, a.output)}
            if tokens == _TOKENS and sides == {(1, _TOKENS, count * width)}:
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

        Reshape(Transpose(Softmax(scale * Q @ K) @ V)), where Q, K and V are Transpose(Reshape(x)).
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
        query = self._before_heads(query_heads, _HEADS_FIRST)
        key = self._before_heads(key_heads, _KEYS_TRANSPOSED)
        value = self._before_heads(mixed.input[1], _HEADS_FIRST)
        output = self._after_heads(mixed.output[0])
        if query is None or key is None or value is None or output is None:
            return None
        return _Attention(
            query=query,
            key=key,
            value=value,
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
