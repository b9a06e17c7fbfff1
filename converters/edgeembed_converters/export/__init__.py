"""Export: a PyTorch text encoder as one ONNX graph, pooling, head and normalization inside."""
