"""Blocks of vectors, and exact scans of them by 8-bit codes (SQ8) and float32."""
