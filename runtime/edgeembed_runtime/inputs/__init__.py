"""Inputs: from what a user holds to what a graph takes."""
