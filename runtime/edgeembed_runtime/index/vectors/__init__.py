"""Blocks of vectors, and exact scans of them in float32 or through 8-bit quantization (SQ8)."""
