"""Runs of models that are under way when the interpreter ends.

A thread of the kind `daemon` that comes back from native code into an interpreter that is going
away is ended by force, and onnxruntime answers that by aborting the process. So at exit the runs of
such threads are waited for, and they begin no other.
"""

import atexit
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager

# Of one run; a process that ends later than this ends as onnxruntime likes.
_PATIENCE_S = 10.0

_changed = threading.Condition()
_under_way = 0
_is_over = False


@contextmanager
def run_under_way() -> Generator[None]:
    """Hold the end of the process back for what is in the block, if this is a daemon thread."""
    global _under_way
    if not threading.current_thread().daemon:
        yield
        return
    with _changed:
        while _is_over:
            _changed.wait()  # for ever: the process ends
        _under_way += 1
    try:
        yield
    finally:
        with _changed:
            _under_way -= 1
            _changed.notify_all()


def _end() -> None:
    """At exit, when only daemon threads are left."""
    global _is_over
    with _changed:
        _is_over = True
        _changed.wait_for(lambda: not _under_way, _PATIENCE_S)


def _begin_anew() -> None:
    """In a forked child, where other threads are gone."""
    global _changed, _under_way
    _changed, _under_way = threading.Condition(), 0


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
