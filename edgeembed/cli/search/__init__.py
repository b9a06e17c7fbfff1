"""Commands that encode, index and search your files."""
