"""Composing: a classifier of pictures and an encoder of texts as one text-image space."""
