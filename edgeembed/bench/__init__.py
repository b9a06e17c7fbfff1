"""Bench: how fast and how large a bundle is on this machine, each variant in fresh processes."""
