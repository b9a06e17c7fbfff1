"""What must not be carried through a fork: threads, locks that another thread held, connections."""

import ctypes
import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """Something that must know of forks."""

    def before_fork(self) -> None:
        """Called before a fork; what it holds from here on is let go by the two others."""
        ...

    def after_fork_in_parent(self) -> None:
        """Called in the parent."""
        ...

    def after_fork_in_child(self) -> None:
        """Called in the child, before anything else uses it."""
        ...


_known: "weakref.WeakSet[ForkAware]" = weakref.WeakSet()
# Those that were told before the fork under way: the same are told after it.
_told: list[ForkAware] = []


def follow_forks(thing: ForkAware) -> None:
    """Tell `thing` of every fork, for as long as it lives."""
    _known.add(thing)


def never_delete(thing: object) -> None:
    """Keep something of the parent process for ever: deleting it would touch what is not there."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _before() -> None:
    _told[:] = list(_known)
    for thing in _told:
        thing.before_fork()


def _in_parent() -> None:
    while _told:
        _told.pop().after_fork_in_parent()


def _in_child() -> None:
    while _told:
        _told.pop().after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
