"""Metrics of vectors, similarities and rankings, each with its source."""
