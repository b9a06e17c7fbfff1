"""Tokenizing text to whole words, for word vectors such as word2vec, GloVe and fastText."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime.bundle.towers import TextTower, Trust
from edgeembed_runtime.bundle.words import Words
from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.text.subwords import subword_rows
from edgeembed_runtime.inputs.text.tokenizer import (
    MAX_CHARACTERS,
    TextTokenizer,
    TokenizedText,
    TokenSpans,
    invalid_text_message,
    unknown_weight,
)

_PIECES = re.compile(r"\S+")
# How a piece that is not a word is split: first into words with inner punctuation, such as "e-mail"
# and "U.S", then into runs of letters and digits; other characters one by one.
_SPLITS = (re.compile(r"\w+(?:['’.\-]\w+)*|\W"), re.compile(r"[^\W_]+|\W|_"))
# The weight of a word, shared equally by its rows; 2^30 is precise enough for any number of them.
_WEIGHT = 1 << 30

# A word's character span and its rows in the table: (start, end, rows).
_Word = tuple[int, int, Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class WordTokenizer(TextTokenizer):
    """Splits text into words and looks up their rows; see docs/reference/bundle-format.md.

    Only the vocabulary of `tokenizer` is used, which cannot look up a word before splitting it.
    """

    words: Words
    unknown_row: int

    def encode(self, text: str) -> TokenizedText:
        """Return up to `max_tokens` rows for the text's words, and their weights.

        A text without words counts as one unknown word.

        Raises:
            InputError: the text is not valid Unicode, or, if the policy is "error", has an unknown
                word or no words.
        """
        rows: list[int] = []
        weights: list[int] = []
        truncated = len(text) > MAX_CHARACTERS
        for start, end, word_rows in self._words(text[:MAX_CHARACTERS]):
            if self.words.unknown == "error" and word_rows[0] == self.unknown_row:
                raise _unknown(text[start:end])
            if rows and len(rows) + len(word_rows) > self.max_tokens:
                truncated = True
                break
            word_rows = word_rows[: self.max_tokens]
            rows += word_rows
            weights += [_WEIGHT // len(word_rows)] * len(word_rows)
        if not rows and self.words.unknown == "error":
            raise InputError("text: expected at least one word, got none; remove empty texts")
        return TokenizedText(
            ids=np.array(rows or [self.unknown_row], np.int64),
            truncated=truncated,
            weights=np.array(weights, np.int64)
            if min(weights, default=_WEIGHT) < _WEIGHT
            else None,
        )

    def plain_ids(self, texts: Sequence[str]) -> Sequence[list[int] | None]:
        """Return None for every text: words are looked up one by one."""
        return [None] * len(texts)

    def count(self, text: str) -> int:
        """Count the rows of `text` before truncation."""
        return sum(len(rows) for _, _, rows in self._words(text))

    def knows(self, text: str) -> bool:
        """Whether some word in the beginning of `text` is in the table, or made of its subwords."""
        words = itertools.islice(self._words(text[:MAX_CHARACTERS]), self.max_tokens)
        return any(rows[0] != self.unknown_row for _, _, rows in words)

    def spans(self, text: str) -> TokenSpans:
        """Return the place of every word, in order; it counts as its rows."""
        words = list(self._words(text))
        bounds = np.array([(start, end) for start, end, _ in words], np.int64).reshape(-1, 2)
        starts, ends = bounds[:, 0], bounds[:, 1]
        weights = np.array([len(rows) for _, _, rows in words], np.int64)
        is_unknown = np.array([rows[0] == self.unknown_row for _, _, rows in words], bool)
        weights[is_unknown] = unknown_weight((ends - starts)[is_unknown])
        return TokenSpans(starts=starts, ends=ends, weights=weights)

    def _words(self, text: str) -> Iterator[_Word]:
        try:
            for piece in _PIECES.finditer(text):
                start, end = piece.span()
                row = self._row(text[start:end])
                if row is None:
                    yield from self._split(text, start, end, 0)
                else:
                    yield start, end, (row,)
        except UnicodeEncodeError as error:
            raise InputError(invalid_text_message(text, error)) from error

    def _split(self, text: str, start: int, end: int, level: int) -> Iterator[_Word]:
        """Yield the words of a piece that is not a word itself, splitting by `_SPLITS[level:]`."""
        if not self.words.split_punctuation or level == len(_SPLITS):
            yield start, end, self._unknown_rows(text[start:end])
            return
        for part in _SPLITS[level].finditer(text, start, end):
            span = part.span()
            word = text[span[0] : span[1]]
            row = self._row(word) if span != (start, end) else None
            if row is not None:
                yield *span, (row,)
            elif word.isalnum() or len(word) > 1:
                yield from self._split(text, *span, level + 1)

    def _row(self, word: str) -> int | None:
        row = self.tokenizer.token_to_id(word)
        if row is None and self.words.lowercase:
            row = self.tokenizer.token_to_id(word.lower())
        return row

    def _unknown_rows(self, word: str) -> Sequence[int]:
        if self.words.subwords is None:
            return (self.unknown_row,)
        normalized = word.lower() if self.words.lowercase else word
        # A word of a million letters has four million n-grams.
        rows = itertools.islice(subword_rows(normalized, self.words.subwords), self.max_tokens)
        return tuple(rows) or (self.unknown_row,)


def load_tokenizer(
    data: bytes, tower: TextTower, name: str, *, trust: Trust = "none"
) -> TextTokenizer:
    """Load a text tower's tokenizer from the bytes of its file; see `TextTokenizer.from_bytes`.

    Raises:
        BundleCorruptError: the tokenizers library cannot load it, or it does not match the tower.
        BundleUnsafeError: it has a part without a bound.
    """
    base = TextTokenizer.from_bytes(
        data, tower.max_tokens, name, truncation_side=tower.truncation_side, trust=trust
    )
    if tower.words is None:
        return base.taking_empty_texts() if tower.static else base
    unknown = base.unknown_id
    if unknown is None or base.special_tokens:
        raise BundleCorruptError(
            f"{name}: expected an unknown token and no special tokens around a text"
        )
    return WordTokenizer(
        tokenizer=base.tokenizer,
        max_tokens=base.max_tokens,
        special_tokens=0,
        growth=base.growth,
        words=tower.words,
        unknown_row=unknown,
    )


def _unknown(word: str) -> InputError:
    return InputError(
        f"text: expected words in the model's vocabulary, got {word!r:.80}; remove it, or import "
        "the word vectors with another policy for unknown words"
    )
