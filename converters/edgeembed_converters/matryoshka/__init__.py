"""Shorter vectors: what truncation keeps, and rotations that make it keep more."""
