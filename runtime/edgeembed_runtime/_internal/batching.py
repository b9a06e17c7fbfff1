"""Batching a stream."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int, *, first: int | None = None) -> Iterator[list[T]]:
    """Yield lists of `size` items; the last may be shorter. If `items` raises, flush first.

    With `first`, lists start at that size and double until they reach `size`.
    """
    target = min(size, first or size)
    window: list[T] = []
    try:
        for item in items:
            window.append(item)
            if len(window) == target:
                yield window
                window, target = [], min(size, 2 * target)
    except Exception:
        if window:
            yield window
        raise
    if window:
        yield window
