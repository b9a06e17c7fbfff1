"""Settings for towers whose tokens are whole words: word splitting and unknown words."""

from dataclasses import dataclass
from typing import Literal, get_args

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.validation import expect

_MAX_SUBWORD_CHARACTERS = 100
UnknownWord = Literal["subword", "zero", "mean", "error"]
UNKNOWN_WORDS: tuple[UnknownWord, ...] = get_args(UnknownWord)


@public
@dataclass(frozen=True, kw_only=True)
class Subwords:
    """Table rows for character n-grams, as in fastText; see `subword_rows`.

    An n-gram of `min_n` to `max_n` characters has the row `first_row` + hash modulo `buckets`.

    Raises:
        BundleCorruptError: a number is out of range.
    """

    first_row: int
    buckets: int
    min_n: int
    max_n: int

    def __post_init__(self) -> None:
        """Validate the numbers."""
        where = "towers.text.words.subwords"
        expect(self.first_row >= 0, f"{where}.first_row", "0 or more", self.first_row)
        expect(self.buckets >= 1, f"{where}.buckets", "1 or more", self.buckets)
        expect(
            1 <= self.min_n <= self.max_n <= _MAX_SUBWORD_CHARACTERS,
            f"{where}.min_n, max_n",
            f"1 <= min_n <= max_n <= {_MAX_SUBWORD_CHARACTERS}",
            (self.min_n, self.max_n),
        )


@public
@dataclass(frozen=True, kw_only=True)
class Words:
    """How text is split into whole-word tokens (inputs/text/word_tokenizer.py).

    Attributes:
        lowercase: look up a word that is not in the vocabulary in lowercase as well.
        split_punctuation: split a word that is still not found at its punctuation.
        unknown: what a word becomes that is not found after that: the mean of its "subword" rows,
            "zero", the "mean" of all words, or an "error".
        subwords: the subword rows, for the policy "subword" only.

    Raises:
        BundleCorruptError: the policy is unknown, or `subwords` does not go with it.
    """

    lowercase: bool
    split_punctuation: bool
    unknown: UnknownWord
    subwords: Subwords | None = None

    def __post_init__(self) -> None:
        """Validate the policy and its subwords."""
        expect(
            self.unknown in UNKNOWN_WORDS,
            "towers.text.words.unknown",
            f"one of {', '.join(UNKNOWN_WORDS)}",
            self.unknown,
        )
        expect(
            (self.unknown == "subword") == (self.subwords is not None),
            "towers.text.words.subwords",
            "an object for the policy 'subword', null for any other",
            self.subwords,
        )
