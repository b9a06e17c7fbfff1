"""Inputs: from the user's texts and images to the graph's input arrays."""
