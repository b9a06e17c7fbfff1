"""Upkeep: what an index has of people's files, and how it is taken out again."""
