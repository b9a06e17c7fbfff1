"""A crash-safe index of documents and vectors in a directory: see docs/index-format.md."""
