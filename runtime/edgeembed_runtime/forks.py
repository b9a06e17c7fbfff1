"""What must not be carried through a fork: threads, locks that another thread held, connections."""

import ctypes
import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """Something that begins anew in a child process."""

    def after_fork(self) -> None:
        """Called in the child, before anything else uses it."""
        ...


_known: "weakref.WeakSet[ForkAware]" = weakref.WeakSet()


def tell_after_fork(thing: ForkAware) -> None:
    """Call `thing.after_fork()` in every child process, for as long as `thing` lives."""
    _known.add(thing)


def never_delete(thing: object) -> None:
    """Keep something of the parent process for ever: deleting it would touch what is not there."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _after_fork() -> None:
    for thing in list(_known):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
