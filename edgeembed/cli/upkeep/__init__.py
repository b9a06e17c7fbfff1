"""Upkeep: the commands that say what is in an index, and take out what is not wanted."""
