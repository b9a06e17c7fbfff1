"""A stream in pieces."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int, *, first: int | None = None) -> Iterator[list[T]]:
    """Lists of `size` items, the last one shorter; when `items` raises, those before come first.

    With `first` the lists begin at that size and double until they reach `size`.
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
