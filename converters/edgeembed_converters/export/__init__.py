"""Export: an encoder as one ONNX graph, with pooling, head and normalization inside."""
