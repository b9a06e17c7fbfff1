"""The engine: how token ids become vectors on this machine."""
