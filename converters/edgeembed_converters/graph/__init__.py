"""ONNX graphs: clean-up, probing, and rewriting passes."""
