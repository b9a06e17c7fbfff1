"""Bench: speed, size and memory of a bundle on this machine, each variant in fresh processes."""
