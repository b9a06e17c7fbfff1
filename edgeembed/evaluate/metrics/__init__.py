"""Metrics: numbers from vectors, similarities, labels and rankings; each with its source."""
