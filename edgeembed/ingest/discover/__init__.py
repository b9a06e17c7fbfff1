"""Discover: the files of folders, and what of them is left out and why."""
