"""Sealed, immutable segments, and snapshots that combine them with the tail."""
