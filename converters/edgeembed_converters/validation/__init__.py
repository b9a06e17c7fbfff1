"""Proof that an exported model is the original, and how close its variants are."""
