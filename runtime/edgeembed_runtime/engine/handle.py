"""Holding an engine through forks: a child process gets its own."""

import ctypes
import os
import threading
import weakref
from collections.abc import Callable

from edgeembed_runtime.engine.engine import Engine
from edgeembed_runtime.engine.memory import give_back_freed_memory
from edgeembed_runtime.errors import EdgeEmbedError

_handles: "weakref.WeakSet[EngineHandle]" = weakref.WeakSet()


class EngineHandle:
    """An engine that is there until it is closed; after a fork it is opened anew when needed."""

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        """Open the engine; what `open_engine` raises comes through."""
        self._open_engine = open_engine
        self._lock = threading.Lock()
        self._engine: Engine | None = open_engine()
        self._closed = False
        _handles.add(self)

    def get(self) -> Engine:
        """The engine.

        Raises:
            EdgeEmbedError: it was closed.
        """
        with self._lock:
            if self._closed:
                raise EdgeEmbedError("this encoder is closed; load the bundle again")
            if self._engine is None:
                self._engine = self._open_engine()
            return self._engine

    def close(self) -> None:
        """Stop the engine and give its memory back; closing twice is fine."""
        with self._lock:
            engine, self._engine, self._closed = self._engine, None, True
        if engine is not None:
            engine.close()
            del engine
            give_back_freed_memory()

    def leave_behind(self) -> None:
        """Forget the parent's engine, and its lock, which another thread may have held.

        The engine's threads do not exist in a child, which must therefore neither use it nor
        delete it, not even at the end: that would wait for those threads. So it never dies.
        """
        self._lock = threading.Lock()
        if self._engine is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))
            self._engine = None


def _after_fork() -> None:
    for handle in list(_handles):
        handle.leave_behind()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
