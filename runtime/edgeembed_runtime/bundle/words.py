"""Towers whose tokens are whole words: how a text becomes words, and what unknown ones become."""

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
    """Rows for parts of words, as fastText has them: see `subword_rows`.

    The n-grams of `min_n` to `max_n` characters of a word have the rows from `first_row` on, by
    their hashes modulo `buckets`.
    """

    first_row: int
    buckets: int
    min_n: int
    max_n: int

    def __post_init__(self) -> None:
        """Refuse numbers that make no rows."""
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
    """The tokens are whole words; how a text becomes words (inputs/word_tokenizer.py).

    With `lowercase` a word that the vocabulary lacks is looked up in lower case too; with
    `split_punctuation` one that is written with punctuation is cut there. `unknown` is what a word
    then becomes that is still not found: the mean of its "subword" rows, "zero", the "mean" of all
    words, or an "error".
    """

    lowercase: bool
    split_punctuation: bool
    unknown: UnknownWord
    subwords: Subwords | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown policy, and subwords without their rows."""
        expect(
            self.unknown in UNKNOWN_WORDS,
            "towers.text.words.unknown",
            f"one of {', '.join(UNKNOWN_WORDS)}",
            self.unknown,
        )
        expect(
            (self.unknown == "subword") == (self.subwords is not None),
            "towers.text.words.subwords",
            "an object for the policy 'subword', null for others",
            self.subwords,
        )
