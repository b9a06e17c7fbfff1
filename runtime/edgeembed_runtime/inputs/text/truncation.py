"""Truncation policies for texts longer than the model takes."""

import threading
import warnings
from collections.abc import Iterator
from typing import Literal, TypeVar, get_args

from edgeembed_runtime._internal.stack import callers_level
from edgeembed_runtime.arguments import checked_choice
from edgeembed_runtime.errors import InputError, TruncationWarning
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

T = TypeVar("T")
Truncation = Literal["truncate", "warn", "error"]
"""What to do with texts longer than the model takes."""
TRUNCATIONS: tuple[Truncation, ...] = get_args(Truncation)


def check_truncation(policy: str) -> None:
    """Check that a policy is known.

    Raises:
        InputError: it is not.
    """
    checked_choice(policy, TRUNCATIONS, "truncation")


class TruncatedTexts:
    """Applies a truncation policy. Thread-safe.

    "truncate": do nothing. "warn": one warning at the end, with counts. "error": raise on the first
    text that is too long.
    """

    def __init__(self, policy: Truncation, tokenizer: TextTokenizer) -> None:
        """Start with no texts.

        Raises:
            InputError: the policy is unknown.
        """
        check_truncation(policy)
        self._policy = policy
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._count = self._longest = 0

    def note(self, text: str) -> None:
        """Record that `text` was truncated.

        Raises:
            InputError: the policy is "error".
        """
        if self._policy == "truncate":
            return
        length = self._tokenizer.count(text)
        if self._policy == "error":
            raise InputError(
                f"text: expected at most {self._tokenizer.max_tokens} tokens, got {length}; "
                "shorten it, or pass chunk=True or truncation='truncate'"
            )
        with self._lock:
            self._count, self._longest = self._count + 1, max(self._longest, length)

    def warn(self) -> None:
        """Emit one TruncationWarning if any texts were truncated."""
        if self._count:
            texts = "1 text was" if self._count == 1 else f"{self._count} different texts were"
            warnings.warn(
                f"{texts} truncated to {self._tokenizer.max_tokens} tokens; the longest has "
                f"{self._longest}",
                TruncationWarning,
                stacklevel=callers_level(),
            )

    def warn_after(self, results: Iterator[T]) -> Iterator[T]:
        """Yield the results, then warn."""
        yield from results
        self.warn()


def ignore_truncation(text: str) -> None:
    """Do nothing about a truncated text: the no-op `OnTruncation`."""
    del text
