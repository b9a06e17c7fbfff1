"""Readers of files: asked for one file, and ones that behave badly."""
