"""The Encoder: a loaded bundle that encodes texts and images to vectors."""
