"""Plumbing of the converters; not for users."""
