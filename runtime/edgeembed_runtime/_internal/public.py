"""The decorator for everything `edgeembed` exports."""

from typing import TypeVar

T = TypeVar("T")


def public(thing: T) -> T:
    """Set a class's or function's module to `edgeembed`, where users import it from.

    Tracebacks, help() and pickles then show the public path, and pickles survive module moves.
    `edgeembed/__init__.py` lists the name; a test keeps the two in sync.
    """
    thing.__module__ = "edgeembed"
    return thing
