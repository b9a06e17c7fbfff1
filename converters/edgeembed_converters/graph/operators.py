"""onnxruntime's own operators in a graph."""

import onnx
from onnx import helper

MICROSOFT = "com.microsoft"


def need_microsoft_operators(model: onnx.ModelProto) -> None:
    """Say in the model that it has operators of onnxruntime's own."""
    if all(opset.domain != MICROSOFT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
