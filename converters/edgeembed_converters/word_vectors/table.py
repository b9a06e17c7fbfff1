"""Words and vectors as read from a file, checked word by word."""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import ConversionError, InputError

BadWords = Literal["error", "skip"]
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """fastText's n-gram vectors: (buckets, d) float32, for n from `min_n` to `max_n`."""

    vectors: NDArray[np.float32]
    min_n: int
    max_n: int


@dataclass(frozen=True, kw_only=True)
class WordTable:
    """Distinct words, usually the most frequent first, and their vectors: (n, d) float32.

    `skipped` counts what was left out, by reason.
    """

    words: Sequence[str]
    vectors: NDArray[np.float32]
    buckets: Buckets | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)


class WordList:
    """Collects the words of a file; invalid ones are errors, or are left out."""

    def __init__(self, path: Path, unit: Literal["line", "byte"], bad_words: BadWords) -> None:
        """`unit` is the unit of positions: lines from 1, or bytes from 0."""
        self._path, self._unit, self._bad_words = path, unit, bad_words
        self._rows: dict[str, int] = {}
        self._places = array("q")
        self._skipped: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many words there are so far."""
        return len(self._rows)

    def add(self, raw: bytes, place: int) -> bool:
        """Add a word; False if it is left out.

        Raises:
            ConversionError: it is not a valid word, and bad words are errors.
        """
        try:
            word = raw.decode()
        except UnicodeDecodeError as error:
            return self.skip("invalid UTF-8", f"{raw[:40]!r}: {error.reason}", place)
        if word in self._rows:
            return self.skip("a word twice", repr(word)[:80], place)
        if word.split() != [word]:
            return self.skip("no word, or one with white space", repr(word)[:80], place)
        self._rows[word] = len(self._rows)
        self._places.append(place)
        return True

    def skip(self, reason: str, found: str, place: int) -> bool:
        """Leave a word out, and return False.

        Raises:
            ConversionError: bad words are errors.
        """
        if self._bad_words == "error":
            raise self.error(f"{reason}: {found}; to leave such out, pass bad_words='skip'", place)
        self._skipped[reason] += 1
        return False

    def error(self, found: str, place: int) -> ConversionError:
        """An error at a position in the file."""
        return ConversionError(f"{self._path}, {self._unit} {place}: {found}")

    def table(self, vectors: NDArray[np.float32], buckets: Buckets | None = None) -> WordTable:
        """The words with their vectors, which must be finite.

        Raises:
            ConversionError: there are no words, or bad vectors are errors.
        """
        if buckets is not None and not _finite_rows(buckets.vectors).all():
            raise ConversionError(f"{self._path}: an n-gram's vector has NaN or infinite values")
        finite = _finite_rows(vectors)
        words = list(self._rows)
        for row in np.flatnonzero(~finite).tolist():
            self.skip("a vector with NaN or infinite values", repr(words[row]), self._places[row])
        if not finite.all():
            words = [word for word, good in zip(words, finite.tolist(), strict=True) if good]
            vectors = vectors[finite]
        if not words:
            raise ConversionError(f"{self._path}: expected words and their vectors, found none")
        return WordTable(words=words, vectors=vectors, buckets=buckets, skipped=dict(self._skipped))


def _finite_rows(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows are finite, computed block by block to save memory."""
    blocks = range(0, len(vectors), _ROWS_AT_ONCE)
    parts = [np.isfinite(vectors[at : at + _ROWS_AT_ONCE]).all(axis=1) for at in blocks]
    return np.concatenate([np.empty(0, np.bool_), *parts])


def checked_bad_words(bad_words: str) -> None:
    """Refuse an unknown policy.

    Raises:
        InputError: it is neither "error" nor "skip".
    """
    if bad_words not in ("error", "skip"):
        raise InputError(f"bad_words: expected error or skip, got {bad_words!r}")
