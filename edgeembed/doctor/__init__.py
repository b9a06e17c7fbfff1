"""Doctor: what this machine offers an encoder, and whether a bundle is well on it."""
