"""Commands that fill and search indexes."""
