"""Models: what can be evaluated, each behind the same few methods."""
