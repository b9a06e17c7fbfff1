"""Encodes documents and queries for an index; a text without a known word gets no vector."""

import warnings
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.stack import callers_level
from edgeembed_runtime.errors import TruncationWarning
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.unit_vectors import unit_rows
from edgeembed_runtime.index.base.validation import check_lengths

_MAX_COUNTED = 100_000  # characters
Encode = Callable[[list[str]], NDArray[np.float32]]


@runtime_checkable
class KnowsTexts(Protocol):
    """An encoder that can tell which texts it understands; `Encoder` does."""

    def knows(self, texts: Sequence[str]) -> Sequence[bool]:
        """Whether each text has a token that the model knows."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """An encoder that can tell how much of a text it reads; `Encoder` does."""

    @property
    def max_tokens(self) -> int:
        """The maximum length of a text in tokens."""
        ...

    def count_tokens(self, texts: str) -> int:
        """The tokens of a text, before truncation."""
        ...


def titled(title: str | None, text: str) -> str:
    """What is encoded of a document: its title, and its text in the next line."""
    return f"{title}\n{text}" if title else text


def encoded_documents(
    encoder: IndexEncoder, texts: Sequence[str], *, dim: int
) -> NDArray[np.float32]:
    """(n, dim) vectors of unit length, and of zeros for texts that the encoder does not know.

    All such texts would get one and the same vector, and match each other perfectly.

    Raises:
        InputError: the encoder's vectors cannot be used.
    """
    return _encoded(encoder, encoder.encode_document, texts, dim)


def encoded_queries(
    encoder: IndexEncoder, texts: Sequence[str], *, dim: int
) -> NDArray[np.float32]:
    """The same for queries, with a TruncationWarning for one that the encoder reads in part."""
    _warn_of_truncation(encoder, texts)

    def encode(known: list[str]) -> NDArray[np.float32]:
        # One query by itself uses all cores.
        return np.atleast_2d(encoder.encode_query(known[0] if len(known) == 1 else known))

    return _encoded(encoder, encode, texts, dim)


def _encoded(
    encoder: IndexEncoder, encode: Encode, texts: Sequence[str], dim: int
) -> NDArray[np.float32]:
    known = np.ones(len(texts), np.bool_)
    if isinstance(encoder, KnowsTexts):
        known = np.array(encoder.knows(texts), np.bool_).reshape(len(texts))
    vectors = np.zeros((len(texts), dim), np.float32)
    chosen = [texts[i] for i in np.flatnonzero(known).tolist()]
    if chosen:
        found = unit_rows(encode(chosen), dim=dim, what="encoder")
        check_lengths(len(chosen), encoder=len(found))
        vectors[known] = found
    return vectors


def _warn_of_truncation(encoder: IndexEncoder, texts: Sequence[str]) -> None:
    if not isinstance(encoder, CountsTokens):
        return
    for text in texts:
        # A token has a character at least.
        if len(text) < encoder.max_tokens:
            continue
        count = encoder.count_tokens(text[:_MAX_COUNTED])
        if count > encoder.max_tokens:
            more = "at least " if len(text) > _MAX_COUNTED else ""
            warnings.warn(
                f"the query has {more}{count} tokens, and the model reads {encoder.max_tokens}: "
                f"its vector is that of the beginning",
                TruncationWarning,
                stacklevel=callers_level(),
            )
