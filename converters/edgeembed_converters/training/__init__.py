"""Shared by all that trains: the loop, losses, checkpoints, settings, the learning curve."""
