"""Images: opened without trust, decoded in bounded memory, preprocessed."""
