"""PyTorch modules that stand around a backbone: pooling, heads, fixed lengths."""
