"""Bundles from a stranger who wants the machine."""
