"""Attention together with the one product that computes its queries, keys and values."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from edgeembed_converters.graph.editing import count_uses
from edgeembed_converters.graph.weights import array_of


@dataclass(frozen=True, kw_only=True)
class ProjectedAttention:
    """MultiHeadAttention of Split(source @ weight + bias): names of values, and its settings.

    `inner` are the values between `source` and `output`, which nothing else reads.
    """

    source: str
    weight: str
    bias: str
    output: str
    heads: int
    scale: float
    inner: tuple[str, ...]


def projected_attentions(graph: onnx.GraphProto) -> Iterator[ProjectedAttention]:
    """Every attention block of a graph that has this form."""
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    uses = count_uses(graph)
    for attention in graph.node:
        split = made_by.get(attention.input[0]) if attention.input else None
        if (
            attention.op_type != "MultiHeadAttention"
            or split is None
            or not _splits_in_three(split, constants)
            or list(attention.input) != list(split.output)
        ):
            continue
        added = made_by.get(split.input[0])
        product = made_by.get(added.input[0]) if added is not None and added.input else None
        if (
            added is None
            or product is None
            or (added.op_type, product.op_type) != ("Add", "MatMul")
            or added.input[1] not in constants
            or product.input[1] not in constants
        ):
            continue
        inner = (product.output[0], added.output[0], *split.output)
        if any(uses[name] != 1 for name in inner):
            continue
        settings = {attribute.name: attribute for attribute in attention.attribute}
        yield ProjectedAttention(
            source=product.input[0],
            weight=product.input[1],
            bias=added.input[1],
            output=attention.output[0],
            heads=settings["num_heads"].i,
            scale=settings["scale"].f,
            inner=inner,
        )


def _splits_in_three(split: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Whether a node splits its input into three equal parts."""
    if split.op_type != "Split" or len(split.input) != 2 or split.input[1] not in constants:
        return False
    sizes = array_of(constants[split.input[1]])
    return len(sizes) == 3 and bool(np.all(sizes == sizes[0]))
