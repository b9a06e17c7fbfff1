"""Texts: validation, tokenization, truncation, chunking."""
