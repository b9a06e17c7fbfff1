"""Sealed, immutable segments, and snapshots that put them together with the tail."""
