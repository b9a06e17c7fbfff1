"""File operations of a process, one at a time, with an observer called before each."""

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal[
    "create", "write", "truncate", "sync", "sync folder", "rename", "remove", "make folder",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One step that is about to happen."""

    kind: Kind
    path: Path
    target: Path | None = None
    """Of a rename."""
    offset: int = 0
    """Where a write starts; the new size of a truncation."""
    data: bytes = b""
    """Of a write."""
    unheeded: bool = False
    """Whether the caller ignores failures, so that it cannot be made to fail."""


Observer = Callable[[Operation], None]
"""Called before every operation; an OSError that it raises reaches the caller."""


class Faults:
    """Lets operations fail: number `first` only, or from there on.

    Nothing is counted before arm() and after disarm().
    """

    def __init__(self) -> None:
        self.failed: list[Operation] = []
        self._armed = False

    def arm(
        self, first: int, *, onwards: bool, code: int = errno.EIO, kind: Kind | None = None
    ) -> None:
        """Fail the operation of this number, counted from 0; of all operations or of one kind."""
        self.failed = []
        self.first = first
        self._seen, self._onwards, self._code = 0, onwards, code
        self._kind = kind
        self._armed = True

    def disarm(self) -> None:
        self._armed = False

    def __call__(self, operation: Operation) -> None:
        if not self._armed or operation.unheeded or self._kind not in (None, operation.kind):
            return
        number, self._seen = self._seen, self._seen + 1
        if number == self.first or (self._onwards and number > self.first):
            self.failed.append(operation)
            raise OSError(self._code, os.strerror(self._code))


class Death:
    """Kills this process before the operation of a number, counted from 0."""

    def __init__(self, at: int | None) -> None:
        self._left = at

    def __call__(self, operation: Operation) -> None:
        if self._left is None:
            return
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
