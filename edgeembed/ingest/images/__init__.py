"""Image files: which are read, what they say of themselves, how they look on a ground."""
