"""PyTorch modules around a backbone: pooling, heads, fixed lengths."""
