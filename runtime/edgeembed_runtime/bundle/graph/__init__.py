"""The ONNX graph of a bundle, read and bounded before onnxruntime sees its bytes."""

from edgeembed_runtime.bundle.graph.check import check_graph

__all__ = ["check_graph"]
