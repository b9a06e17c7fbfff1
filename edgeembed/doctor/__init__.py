"""Doctor: checks of this machine, and of a bundle on it."""
