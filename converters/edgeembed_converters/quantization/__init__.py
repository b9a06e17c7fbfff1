"""Quantization: smaller and faster variants of an exported model."""
