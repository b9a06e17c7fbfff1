"""Contextual vectors: of the tokens of a text, and of a word in it."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.truncation import ignore_truncation
from edgeembed_runtime.inputs.text.validation import checked_text


@public
@dataclass(frozen=True, kw_only=True)
class Token:
    """A token: its string in the model's vocabulary, and its place, text[start:end].

    A special token stands nowhere: its start and end are 0.
    """

    token: str
    start: int
    end: int


@public
@dataclass(frozen=True, kw_only=True)
class TokenVectors:
    """The tokens of a text as the model saw them, and a vector for each: (t, width) float32.

    `cut` says that the text goes on after what the model took.
    """

    text: str
    cut: bool
    tokens: tuple[Token, ...]
    vectors: NDArray[np.float32]

    def span(self, start: int, end: int) -> NDArray[np.float32]:
        """The vector of text[start:end]: the mean of all tokens that touch it, (width,) float32.

        Raises:
            InputError: no token touches it, or the text was cut before it.
        """
        limit = max(token.end for token in self.tokens) if self.cut else len(self.text)
        if type(start) is not int or type(end) is not int:
            raise InputError(f"span: expected two whole numbers, got {start!r} and {end!r}")
        rows = [
            row
            for row, token in enumerate(self.tokens)
            if token.start < min(end, token.end) and token.end > start
        ]
        if not rows or not 0 <= start < end <= limit:
            raise InputError(
                f"span: expected a part of the {limit} characters that the model saw, with a token "
                f"in it, got {start} to {end}"
            )
        return self.vectors[rows].mean(axis=0)

    def word(self, word: str, occurrence: int = 0) -> NDArray[np.float32]:
        """The vector of a word where it stands in the text: (width,) float32.

        The mean of its sub-tokens, as is usual for BERT-style contextual word vectors
        (Bommasani et al., ACL 2020, https://aclanthology.org/2020.acl-main.431).

        Args:
            word: as it is written in the text; a word inside another is not taken for it.
            occurrence: which one, counting from 0.

        Raises:
            InputError: the text has no such word, or not so many.
        """
        pattern = re.escape(checked_text(word, "word"))
        spans = [m.span() for m in re.finditer(rf"(?<!\w){pattern}(?!\w)", self.text)]
        if not word or not spans:
            raise InputError(f"word: expected a word of the text, got {word!r}")
        if type(occurrence) is not int or not 0 <= occurrence < len(spans):
            raise InputError(
                f"word: expected occurrence 0 to {len(spans) - 1} of {word!r}, got {occurrence!r}"
            )
        return self.span(*spans[occurrence])


def compute_token_vectors(engine: Engine, text: str) -> TokenVectors:
    """The tokens of a text and their vectors, by an engine whose graph gives them."""
    tokens, vectors = engine.encode_tokens(text, ignore_truncation)
    encoding = tokens.encoding
    assert encoding is not None  # whole words have no contextual vectors
    pairs = zip(encoding.tokens, encoding.offsets, strict=True)
    token_list = tuple(Token(token=token, start=start, end=end) for token, (start, end) in pairs)
    return TokenVectors(text=text, cut=tokens.truncated, tokens=token_list, vectors=vectors)
