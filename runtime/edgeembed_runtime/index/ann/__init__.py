"""Approximate nearest neighbors: backends, their calibration, and which one a segment gets."""
