"""Visualize: HTML pages that open offline: maps of indexes, image galleries, plots of recipes."""
