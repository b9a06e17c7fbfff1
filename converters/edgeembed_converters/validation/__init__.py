"""Proof that an exported model is the original, and how far a variant is from it."""
