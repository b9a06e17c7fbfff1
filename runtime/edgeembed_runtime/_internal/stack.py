"""Finds the caller of this package, whom a warning is for."""

import inspect


def callers_level() -> int:
    """The stack level, from the calling function, of the first frame outside this package."""
    level, frame = 0, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").startswith("edgeembed_runtime."):
        level, frame = level + 1, frame.f_back
    return level
