"""Students of the same kind as their teacher: smaller transformers, smaller image encoders."""
