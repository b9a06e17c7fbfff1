"""Composing: a classifier of images and an encoder of texts as one text-image space."""
