"""A request's share of the work, cut into parts that run one after another."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeembed.serve.base.jobs import Lane


class Runner(Protocol):
    """Runs inputs of one kind on one model, in any thread."""

    @property
    def limit(self) -> int:
        """How many inputs run at once."""
        ...

    @property
    def joins(self) -> bool:
        """Whether inputs of several requests run together."""
        ...

    def run(self, slices: "Sequence[Slice]", *, alone: bool) -> None:
        """Put an output of each input into its work, or an error that ends the work.

        `alone` says that nothing else runs or waits, so that all threads may be used.
        """
        ...


class Work:
    """The inputs of one request, and what has come of them."""

    __slots__ = (
        "caller",
        "done",
        "entered",
        "error",
        "inputs",
        "lane",
        "next",
        "on_end",
        "outputs",
        "over",
        "runner",
        "seconds",
    )

    def __init__(
        self,
        *,
        runner: Runner,
        inputs: Sequence[Any],
        caller: str,
        lane: Lane,
        seconds: float,
        on_end: "Callable[[Work], None]",
    ) -> None:
        """`seconds` is what each input takes, by estimate; `on_end` is called in any thread."""
        self.runner: Runner = runner
        self.inputs: Sequence[Any] = inputs
        self.outputs: list[Any] = [None] * len(inputs)
        self.caller: str = caller
        self.lane: Lane = lane
        self.seconds: float = seconds
        self.on_end: Callable[[Work], None] = on_end
        self.entered: float = time.monotonic()
        self.next: int = 0
        self.done: int = 0
        self.error: Exception | None = None
        self.over: bool = False

    @property
    def waiting(self) -> int:
        """How many inputs were not begun."""
        return len(self.inputs) - self.next


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of a work's inputs, from `start` to before `stop`."""

    work: Work
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """What a thread runs next; see `Runner.run`."""

    slices: Sequence[Slice]
    alone: bool
