"""Texts: validated, tokenized, truncated, chunked."""
