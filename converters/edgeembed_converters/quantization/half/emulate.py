"""What an fp16 model computes on a GPU, on a CPU.

onnxruntime computes fp16 operators on a CPU in fp32, in chains without rounding between them: a
value beyond 65,504 does not overflow, and a tiny one is not lost. Here each operator computes in
fp32 and its result is rounded to fp16, as GPUs do: they sum products in fp32 and store fp16.
"""

import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.graph.editing import drop_unused, replace_nodes
from edgeembed_converters.graph.weights import one_file
from edgeembed_converters.quantization.half.types import value_types


def emulated(half: bytes) -> bytes:
    """An ONNX model that computes on a CPU what an fp16 one does on a GPU, overflow included."""
    model = onnx.load_from_string(half)
    types = value_types(model)
    halves = {name for name, kind in types.items() if kind == TensorProto.FLOAT16}
    weights = [tensor.name for tensor in model.graph.initializer]
    nodes = [_cast(name, _wide(name), TensorProto.FLOAT) for name in weights if name in halves]
    for node in model.graph.node:
        outputs = [name for name in node.output if name in halves]
        if node.op_type != "Cast":
            for place, name in enumerate(node.input):
                node.input[place] = _wide(name) if name in halves else name
            for place, name in enumerate(node.output):
                node.output[place] = f"{name}.unrounded" if name in halves else name
            _widen_settings(node)
        nodes.append(node)
        for name in outputs:
            if node.op_type != "Cast":
                nodes.append(_cast(f"{name}.unrounded", name, TensorProto.FLOAT16))
            nodes.append(_cast(name, _wide(name), TensorProto.FLOAT))
    replace_nodes(model.graph, nodes)
    drop_unused(model.graph)
    return one_file(model)


def _wide(name: str) -> str:
    return f"{name}.wide"


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], target, to=kind)


def _widen_settings(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(attribute.t).astype("float32")
            attribute.t.CopyFrom(numpy_helper.from_array(values, attribute.t.name))
