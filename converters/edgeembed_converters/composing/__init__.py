"""Composing: an image classifier and a text encoder as one text-image space."""
