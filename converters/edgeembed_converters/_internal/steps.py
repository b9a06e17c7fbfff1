"""Progress of long calls: a callback that gets a few words as each step begins."""

from collections.abc import Callable

OnStep = Callable[[str], None]


def ignore_step(step: str) -> None:
    """No-op progress callback."""
    del step
