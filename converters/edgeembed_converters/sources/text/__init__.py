"""Encoders of texts, from directories and live modules."""
