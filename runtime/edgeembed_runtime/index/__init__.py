"""A crash-safe index of documents and vectors in a directory (docs/reference/index-format.md)."""
