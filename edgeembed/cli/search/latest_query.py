"""Answers the newest of many queries, in a thread of its own; overtaken ones are dropped."""

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
# Longer than between two keys of most people.
_PAUSE_S = 0.2


class LatestQuery(Generic[T]):
    """Runs one query at a time, always the one that was asked last.

    The answer comes in steps, such as a first one and a better one; a newer query ends the steps.
    The second step waits for a pause in typing, so that nothing is done twice while keys come fast.
    """

    def __init__(
        self, answer: Callable[[str], Iterator[T]], deliver: Callable[[str, T | Exception], None]
    ) -> None:
        """Start the thread.

        Args:
            answer: gives the steps of a query's answer.
            deliver: takes each step, or the error that ended them, in the thread; not called for
                a query that is no longer the last one.
        """
        self._answer = answer
        self._deliver = deliver
        self._changed = threading.Condition()
        self._query: str | None = None
        self._asked = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="edgeembed-search", daemon=True)
        self._thread.start()

    def ask(self, query: str) -> None:
        """Answer this query next, and none that was asked before; returns at once."""
        with self._changed:
            self._query = query
            self._asked += 1
            self._changed.notify()

    def close(self) -> None:
        """End the thread after the step that it is at, and wait for it; delivers nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._query is not None)
                if self._closed or self._query is None:
                    return
                query, self._query = self._query, None
                number = self._asked
            self._run_one(query, number)

    def _run_one(self, query: str, number: int) -> None:
        try:
            for step in self._answer(query):
                if not self._is_last(number):
                    return
                self._deliver(query, step)
                if self._is_overtaken_within(number, _PAUSE_S):
                    return
        except Exception as error:  # whoever asked decides; the thread lives on
            if self._is_last(number):
                self._deliver(query, error)

    def _is_overtaken_within(self, number: int, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: number != self._asked or self._closed, timeout=seconds
            )

    def _is_last(self, number: int) -> bool:
        with self._changed:
            return number == self._asked and not self._closed
