"""Holding an engine through forks: a child process gets its own."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from edgeembed_runtime._internal.forks import follow_forks, never_delete
from edgeembed_runtime.engine.memory import trim_heap
from edgeembed_runtime.errors import EdgeEmbedError


class Closable(Protocol):
    """An engine of any kind, as far as holding it goes."""

    def close(self) -> None:
        """Stop its threads."""
        ...


E = TypeVar("E", bound=Closable)


class EngineHandle(Generic[E]):
    """An engine that is there until it is closed; after a fork it is opened anew when needed."""

    def __init__(self, open_engine: Callable[[], E]) -> None:
        """Open the engine; what `open_engine` raises comes through."""
        self._open_engine = open_engine
        self._lock = threading.Lock()
        self._engine: E | None = open_engine()
        self._closed = False
        follow_forks(self)

    def get(self) -> E:
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
            trim_heap()

    def before_fork(self) -> None:
        """See `ForkAware`: nothing to do, the child does not touch what is the parent's."""

    def after_fork_in_parent(self) -> None:
        """See `ForkAware`."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's engine: its threads do not exist here, and it would wait for them."""
        self._lock = threading.Lock()
        if self._engine is not None:
            never_delete(self._engine)
            self._engine = None
