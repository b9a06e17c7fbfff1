"""What is fuzzed: a function of bytes that may raise nothing but EdgeEmbedError."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Run = Callable[[bytes], object]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader of what strangers hand over.

    `seeds` makes sound inputs, and `opened` the function that is fuzzed; both are given a folder
    of their own that they may fill.
    """

    name: str
    seeds: Callable[[Path], Sequence[bytes]]
    opened: Callable[[Path], Run]
