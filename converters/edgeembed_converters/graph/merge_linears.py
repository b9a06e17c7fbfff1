"""Merge linear layers that read the same tensor: mostly query, key and value.

One wide MatMul costs less than three narrow ones, and in int8 the input is quantized once instead
of three times. Results do not change: each output column is the same dot product as before.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import onnx

from edgeembed_converters.graph.editing import drop_unused
from edgeembed_converters.graph.linears import linear_nodes
from edgeembed_converters.graph.weights import array_of, tensor_beside


@dataclass(frozen=True, kw_only=True)
class _Linear:
    """y = x @ weight + bias, as the exporter writes it: a MatMul followed by an Add."""

    matmul: onnx.NodeProto
    add: onnx.NodeProto
    weight: str
    bias: str


def merge_linears(model: onnx.ModelProto) -> onnx.ModelProto:
    """Merge every group of linear layers that share an input. Changes and returns `model`."""
    graph = model.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    groups: dict[str, list[_Linear]] = defaultdict(list)
    for linear in _linears(graph, initializers):
        groups[linear.matmul.input[0]].append(linear)
    for number, group in enumerate(g for g in groups.values() if len(g) > 1):
        _merge(graph, initializers, group, f"merged_linear_{number}")
    drop_unused(graph)
    return model


def _linears(graph: onnx.GraphProto, initializers: dict[str, onnx.TensorProto]) -> list[_Linear]:
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    outputs = {value.name for value in graph.output}
    found: list[_Linear] = []
    for node, weight in linear_nodes(graph):
        adds = users[node.output[0]]
        if len(adds) != 1 or adds[0].op_type != "Add" or node.output[0] in outputs:
            continue
        bias = next((initializers[name] for name in adds[0].input if name in initializers), None)
        if bias is not None and list(bias.dims) == [weight.dims[1]]:
            found.append(_Linear(matmul=node, add=adds[0], weight=weight.name, bias=bias.name))
    return found


def _merge(
    graph: onnx.GraphProto,
    initializers: dict[str, onnx.TensorProto],
    group: list[_Linear],
    name: str,
) -> None:
    weights = [array_of(initializers[linear.weight]) for linear in group]
    biases = [array_of(initializers[linear.bias]) for linear in group]
    first = initializers[group[0].weight]
    sizes = np.array([weight.shape[1] for weight in weights], np.int64)
    for suffix, array in (
        ("weight", np.concatenate(weights, axis=1)),
        ("bias", np.concatenate(biases)),
        ("sizes", sizes),
    ):
        graph.initializer.append(tensor_beside(first, array, f"{name}.{suffix}"))
    merged = [
        onnx.helper.make_node(
            "MatMul", [group[0].matmul.input[0], f"{name}.weight"], [f"{name}.product"], name
        ),
        onnx.helper.make_node(
            "Add", [f"{name}.product", f"{name}.bias"], [f"{name}.sum"], f"{name}.add"
        ),
        onnx.helper.make_node(
            "Split",
            [f"{name}.sum", f"{name}.sizes"],
            [linear.add.output[0] for linear in group],
            f"{name}.split",
            axis=-1,
        ),
    ]
    # The first layer of the group precedes all consumers of the group.
    place = min(_position(graph, linear.matmul) for linear in group)
    for linear in group:
        graph.node.remove(linear.matmul)
        graph.node.remove(linear.add)
        graph.initializer.remove(initializers[linear.weight])
    for offset, node in enumerate(merged):
        graph.node.insert(place + offset, node)


def _position(graph: onnx.GraphProto, wanted: onnx.NodeProto) -> int:
    return next(i for i, node in enumerate(graph.node) if node is wanted or node == wanted)
