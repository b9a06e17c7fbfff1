"""An fp32 graph with most of its operators in fp16: weights and arithmetic."""

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.graph.editing import copied, drop_unused, replace_nodes
from edgeembed_converters.graph.weights import array_of, tensor_beside
from edgeembed_converters.quantization.half.types import value_types

# Operators that providers lack in fp16, or that have settings of a fixed type.
IN_FP32 = frozenset(
    (
        *("Bernoulli", "CumSum", "EyeLike", "Max", "Min", "NonMaxSuppression", "RandomNormal"),
        *("RandomUniform", "Range", "Resize", "RoiAlign", "TopK", "Upsample"),
    )
)
_LARGEST = float(np.finfo(np.float16).max)


def in_half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Numbers in fp16; finite ones stay finite, as masks of -3.4e38 must."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    overflowed = np.isinf(half) & np.isfinite(values)
    half[overflowed] = np.copysign(_LARGEST, values[overflowed])
    return half


def with_half_nodes(model: onnx.ModelProto, kept: Collection[str]) -> onnx.ModelProto:
    """A copy of an fp32 model in fp16, whose inputs and outputs keep their types.

    Nodes stay in fp32 if they are named in `kept` by their first output, or are `IN_FP32`.

    Raises:
        RefusedError: the types of its values are not known.
    """
    copy = copied(model)
    types = _Types(copy)
    nodes: list[onnx.NodeProto] = []
    for node in copy.graph.node:
        halved = node.op_type not in IN_FP32 and node.output[0] not in kept
        if not types.has_floats(node.output):
            # It reads numbers, as Shape does, and takes them as they are.
            halved = any(types.is_half(name) for name in node.input)
        for place, name in enumerate(node.input):
            node.input[place] = types.in_half(name) if halved else types.in_fp32(name)
        nodes += types.taken_casts()
        nodes.append(node)
        if halved and types.has_floats(node.output):
            _halve_settings(node)
            for place, name in enumerate(node.output):
                node.output[place] = types.halved(name)
        nodes += types.taken_casts()
    replace_nodes(copy.graph, nodes)
    drop_unused(copy.graph)
    return copy


def _halve_settings(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to":
            attribute.i = TensorProto.FLOAT16
        if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
            values = in_half(numpy_helper.to_array(attribute.t))
            attribute.t.CopyFrom(numpy_helper.from_array(values, attribute.t.name))
    if node.op_type == "ConstantOfShape" and not node.attribute:
        zero = numpy_helper.from_array(np.zeros(1, np.float16))
        node.attribute.append(helper.make_attribute("value", zero))


class _Types:
    """Which values are in fp16, and the casts between."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        types = value_types(model)
        self._floats = {name for name, kind in types.items() if kind == TensorProto.FLOAT}
        self._weights: Mapping[str, TensorProto] = {t.name: t for t in model.graph.initializer}
        self._outputs = {value.name for value in model.graph.output}
        self._half: dict[str, str] = {}
        self._fp32: dict[str, str] = {}
        self._casts: list[onnx.NodeProto] = []

    def has_floats(self, names: Collection[str]) -> bool:
        return not self._floats.isdisjoint(names)

    def is_half(self, name: str) -> bool:
        return name in self._half and name not in self._weights

    def halved(self, name: str) -> str:
        """The name of a node's output, which is in fp16 from now on."""
        if name not in self._floats:
            return name
        if name in self._outputs:
            self._half[name], self._fp32[name] = f"{name}.half", name
            self._cast(f"{name}.half", name, TensorProto.FLOAT)
        else:
            self._half[name] = name
        return self._half[name]

    def in_half(self, name: str) -> str:
        if name in self._floats and name not in self._half:
            self._half[name] = half = f"{name}.half"
            weight = self._weights.get(name)
            if weight is None:
                self._fp32[name] = name
                self._cast(name, half, TensorProto.FLOAT16)
            else:
                self._graph.initializer.append(
                    tensor_beside(weight, in_half(array_of(weight)), half)
                )
        return self._half.get(name, name)

    def in_fp32(self, name: str) -> str:
        if name in self._half and name not in self._weights and name not in self._fp32:
            self._fp32[name] = f"{name}.fp32"
            self._cast(self._half[name], f"{name}.fp32", TensorProto.FLOAT)
        return self._fp32.get(name, name)

    def taken_casts(self) -> list[onnx.NodeProto]:
        """The casts that were not taken yet."""
        casts, self._casts = self._casts, []
        return casts

    def _cast(self, source: str, target: str, kind: int) -> None:
        self._casts.append(helper.make_node("Cast", [source], [target], target, to=kind))
