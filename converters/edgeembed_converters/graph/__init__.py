"""ONNX graphs: cleaned, probed, and rewritten pass by pass."""
