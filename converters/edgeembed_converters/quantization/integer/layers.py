"""Integer linear layers, whose input is scaled to 8 bits while the model runs.

onnxruntime fuses the nodes of a layer into one operator. Source:
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html (dynamic).
"""

from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.graph.editing import (
    MICROSOFT,
    copied,
    drop_unused,
    import_microsoft_operators,
    replace_nodes,
)
from edgeembed_converters.quantization.integer.projected_attention import (
    ProjectedAttention,
    projected_attentions,
)
from edgeembed_converters.quantization.integer.rounding import IntegerWeight


def with_integer_layers(
    model: onnx.ModelProto, weights: Mapping[str, IntegerWeight]
) -> onnx.ModelProto:
    """A copy of an fp32 model with integer products for `weights`, by name.

    Attention together with its projections becomes one operator.
    """
    copy = copied(model)
    graph = copy.graph
    attentions = {a.output: a for a in projected_attentions(graph) if a.weight in weights}
    inner = {name for attention in attentions.values() for name in attention.inner}
    rounded = _Rounded(graph.node)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        name = node.output[0] if node.output else ""
        if name in attentions:
            nodes += [
                *rounded.input(attentions[name].source),
                _attention(attentions[name], rounded),
            ]
        elif node.op_type == "MatMul" and node.input[1] in weights and name not in inner:
            nodes += [*rounded.input(node.input[0]), *_product(node, rounded)]
        elif name not in inner:
            nodes.append(node)
    replace_nodes(graph, nodes)
    for name, weight in weights.items():
        graph.initializer.append(numpy_helper.from_array(weight.levels, _levels(name)))
        graph.initializer.append(numpy_helper.from_array(weight.scales, _scales(name)))
    if attentions:
        import_microsoft_operators(copy)
    drop_unused(graph)
    return copy


class _Rounded:
    """8-bit inputs of layers: each is rounded once, however many layers read it."""

    def __init__(self, nodes: Sequence[onnx.NodeProto]) -> None:
        """Reuse those that the graph already rounds."""
        self._outputs = {
            node.input[0]: tuple(node.output)
            for node in nodes
            if node.op_type == "DynamicQuantizeLinear"
        }

    def input(self, name: str) -> Sequence[onnx.NodeProto]:
        """The node that rounds a value; nothing from the second call on."""
        if name in self._outputs:
            return ()
        outputs = (f"{name}.int8", f"{name}.int8_scale", f"{name}.int8_zero")
        self._outputs[name] = outputs
        return (helper.make_node("DynamicQuantizeLinear", [name], outputs, outputs[0]),)

    def of(self, name: str) -> tuple[str, ...]:
        """The names of the rounded value, its scale and its zero point."""
        return self._outputs[name]


def _product(node: onnx.NodeProto, rounded: _Rounded) -> list[onnx.NodeProto]:
    """The nodes in place of a product, in the form that onnxruntime fuses."""
    weight, name = node.input[1], node.output[0]
    levels, scale, zero = rounded.of(node.input[0])
    total, number, factor = f"{name}.integers", f"{name}.numbers", f"{name}.factors"
    return [
        helper.make_node("Mul", [scale, _scales(weight)], [factor], factor),
        helper.make_node("MatMulInteger", [levels, _levels(weight), zero], [total], total),
        helper.make_node("Cast", [total], [number], number, to=TensorProto.FLOAT),
        helper.make_node("Mul", [number, factor], [name], name),
    ]


def _attention(attention: ProjectedAttention, rounded: _Rounded) -> onnx.NodeProto:
    levels, scale, zero = rounded.of(attention.source)
    weight = attention.weight
    inputs = [levels, _levels(weight), attention.bias, scale, _scales(weight), "", zero]
    return helper.make_node(
        "QAttention",
        inputs,
        [attention.output],
        f"{attention.output}.attention",
        domain=MICROSOFT,
        num_heads=attention.heads,
        scale=attention.scale,
    )


def _levels(weight: str) -> str:
    return f"{weight}.levels"


def _scales(weight: str) -> str:
    return f"{weight}.scales"
