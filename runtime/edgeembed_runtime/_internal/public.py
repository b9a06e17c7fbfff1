"""The mark of what `edgeembed` exports."""

from typing import TypeVar

T = TypeVar("T")


def public(thing: T) -> T:
    """Let a class or function say that it is of `edgeembed`, where users import it from.

    Tracebacks, help() and pickles then name the public door, and pickles survive that a module
    moves. `edgeembed/__init__.py` lists the name; a test holds the two together.
    """
    thing.__module__ = "edgeembed"
    return thing
