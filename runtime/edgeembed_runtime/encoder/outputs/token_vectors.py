"""Contextual vectors of a text's tokens, words and spans."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import shown
from edgeembed_runtime.bundle.towers import TruncationSide
from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.truncation import ignore_truncation
from edgeembed_runtime.inputs.text.validation import checked_text


@public
@dataclass(frozen=True, kw_only=True)
class Token:
    """A token of a text.

    Attributes:
        token: its string in the model's vocabulary.
        start: its first character in the text; 0 for a special token.
        end: one past its last character; 0 for a special token.
    """

    token: str
    start: int
    end: int


@public
@dataclass(frozen=True, kw_only=True)
class TokenVectors:
    """A text's tokens and their contextual vectors.

    Attributes:
        text: the whole text.
        cut: whether the text was truncated.
        tokens: the t tokens the model saw, special tokens included.
        vectors: (t, width) float32, one row per token.
        truncation_side: where a text that is too long is truncated.
    """

    text: str
    cut: bool
    tokens: tuple[Token, ...]
    vectors: NDArray[np.float32]
    truncation_side: TruncationSide = "right"

    def span(self, start: int, end: int) -> NDArray[np.float32]:
        """Return the vector of text[start:end]: the mean over overlapping tokens, (width,) float32.

        Raises:
            InputError: no token overlaps it, or it is beyond what the model saw.
        """
        first, limit = self._seen
        if type(start) is not int or type(end) is not int:
            raise InputError(f"span: expected two integers, got {shown(start)} and {shown(end)}")
        rows = [
            row
            for row, token in enumerate(self.tokens)
            if token.start < min(end, token.end) and token.end > start
        ]
        if not rows or not first <= start < end <= limit:
            seen = f"the {limit} characters" if not first else f"the characters {first} to {limit}"
            raise InputError(
                f"span: expected a range within {seen} that the model saw, with a token in it, got "
                f"{shown(start)} to {shown(end)}"
            )
        return self.vectors[rows].mean(axis=0)

    @property
    def _seen(self) -> tuple[int, int]:
        """The first character that the model saw, and one past the last."""
        if not self.cut:
            return 0, len(self.text)
        if self.truncation_side == "left":
            return min(token.start for token in self.tokens if token.end), len(self.text)
        return 0, max(token.end for token in self.tokens)

    def word(self, word: str, occurrence: int = 0) -> NDArray[np.float32]:
        """Return the contextual vector of a word in the text: (width,) float32.

        The mean over its subword tokens, as is usual for BERT-style contextual word vectors
        (Bommasani et al., ACL 2020, https://aclanthology.org/2020.acl-main.431).

        Args:
            word: the word as written in the text; matches whole words only.
            occurrence: which occurrence, counting from 0.

        Raises:
            InputError: the text does not have this word, or not that many times.
        """
        pattern = re.escape(checked_text(word, "word"))
        spans = [m.span() for m in re.finditer(rf"(?<!\w){pattern}(?!\w)", self.text)]
        if not word or not spans:
            raise InputError(f"word: expected a word in the text, got {shown(word)}")
        if type(occurrence) is not int or not 0 <= occurrence < len(spans):
            raise InputError(
                f"word: expected occurrence 0 to {len(spans) - 1} of {word!r}, got "
                f"{shown(occurrence)}"
            )
        return self.span(*spans[occurrence])


def compute_token_vectors(engine: Engine, text: str) -> TokenVectors:
    """Compute a text's token vectors, with an engine whose graph outputs them."""
    tokens, vectors = engine.encode_tokens(text, ignore_truncation)
    encoding = tokens.encoding
    assert encoding is not None  # whole words have no contextual vectors
    pairs = zip(encoding.tokens, encoding.offsets, strict=True)
    token_list = tuple(
        Token(token=token, start=start + tokens.offset, end=end + tokens.offset)
        if end
        else Token(token=token, start=0, end=0)
        for token, (start, end) in pairs
    )
    return TokenVectors(
        text=text,
        cut=tokens.truncated,
        tokens=token_list,
        vectors=vectors,
        truncation_side=engine.tokenizer.truncation_side,
    )
