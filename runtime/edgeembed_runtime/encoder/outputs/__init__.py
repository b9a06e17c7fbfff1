"""What encoding returns besides plain vectors: those of chunks and of tokens, and classes."""
