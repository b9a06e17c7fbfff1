"""The types of all values of a graph."""

from collections.abc import Mapping

import onnx

from edgeembed_converters.graph.weights import weights_as_inputs
from edgeembed_converters.quantization.trial.candidate import RefusedError


def value_types(model: onnx.ModelProto) -> Mapping[str, int]:
    """The element type of every value and weight, by name.

    Raises:
        RefusedError: the graph has branches or loops, or operators whose types are not known.
    """
    graph = onnx.shape_inference.infer_shapes(weights_as_inputs(model)).graph
    known = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.output, *graph.value_info)
    }
    known |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        if any(attribute.HasField("g") for attribute in node.attribute):
            raise RefusedError(f"the graph has an operator {node.op_type}, with graphs inside")
        for name in node.output:
            if name and not known.get(name):
                raise RefusedError(f"the graph's value {name} of {node.op_type} has no known type")
    return known
