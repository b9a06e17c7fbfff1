"""What happens to a text that is longer than the model takes."""

import inspect
import threading
import warnings
from collections.abc import Iterator
from typing import Literal, TypeVar, get_args

from edgeembed_runtime.errors import InputError, TruncationWarning
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

T = TypeVar("T")
Truncation = Literal["truncate", "warn", "error"]
TRUNCATIONS: tuple[Truncation, ...] = get_args(Truncation)


def check_truncation(policy: str) -> None:
    """Refuse an unknown policy.

    Raises:
        InputError: it is one.
    """
    if policy not in TRUNCATIONS:
        raise InputError(f"truncation: expected {', '.join(TRUNCATIONS)}, got {policy!r}")


class TruncatedTexts:
    """Takes note of the texts that were cut, or refuses them, as the policy says.

    "truncate": nothing is said. "warn": one warning at the end, with counts. "error": the first
    long text is an error. Any number of threads may call `note` at once.
    """

    def __init__(self, policy: Truncation, tokenizer: TextTokenizer) -> None:
        """Begin with no texts.

        Raises:
            InputError: an unknown policy.
        """
        check_truncation(policy)
        self._policy = policy
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._count = self._longest = 0

    def note(self, text: str) -> None:
        """Take note that `text` was cut.

        Raises:
            InputError: the policy is "error".
        """
        if self._policy == "truncate":
            return
        length = self._tokenizer.count(text)
        if self._policy == "error":
            raise InputError(
                f"text: expected at most {self._tokenizer.max_tokens} tokens, got {length}; "
                "shorten it, or choose chunk=True or truncation='truncate'"
            )
        with self._lock:
            self._count, self._longest = self._count + 1, max(self._longest, length)

    def warn(self) -> None:
        """Warn of the texts that were cut, if there were any."""
        if self._count:
            texts = "1 text was" if self._count == 1 else f"{self._count} different texts were"
            warnings.warn(
                f"{texts} cut to {self._tokenizer.max_tokens} tokens; the longest has "
                f"{self._longest}",
                TruncationWarning,
                stacklevel=_callers_level(),
            )

    def warn_after(self, results: Iterator[T]) -> Iterator[T]:
        """Yield the results, and warn when all of them are there."""
        yield from results
        self.warn()


def _callers_level() -> int:
    """Which frame above `warn` is the first that is not of this package."""
    level, frame = 0, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").startswith("edgeembed_runtime."):
        level, frame = level + 1, frame.f_back
    return level


def ignore_truncation(text: str) -> None:
    """What is done about a text that is cut where that is of no interest: nothing."""
    del text
