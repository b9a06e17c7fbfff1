"""Plumbing that edgeembed's own packages share; not for users, and without any promise."""
