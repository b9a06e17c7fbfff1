"""Encodes documents and queries for an index; a text without a known word gets no vector."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime._internal.stack import callers_level
from edgeembed_runtime.arguments import checked_integer, shown
from edgeembed_runtime.errors import InputError, TruncationWarning
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.unit_vectors import unit_rows
from edgeembed_runtime.index.base.validation import check_lengths

_MAX_COUNTED = 100_000  # characters
Encode = Callable[[list[str]], ArrayLike]


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

    def encode(known: list[str]) -> ArrayLike:
        # One query by itself uses all cores.
        return [encoder.encode_query(known[0])] if len(known) == 1 else encoder.encode_query(known)

    return _encoded(encoder, encode, texts, dim)


def _encoded(
    encoder: IndexEncoder, encode: Encode, texts: Sequence[str], dim: int
) -> NDArray[np.float32]:
    known = np.ones(len(texts), np.bool_)
    if isinstance(encoder, KnowsTexts):
        known = _told(encoder.knows(texts), len(texts))
    vectors = np.zeros((len(texts), dim), np.float32)
    chosen = [texts[i] for i in np.flatnonzero(known).tolist()]
    if chosen:
        found = unit_rows(encode(chosen), dim=dim, what="encoder")
        check_lengths(len(chosen), encoder=len(found))
        vectors[known] = found
    return vectors


def _told(known: object, n: int) -> NDArray[np.bool_]:
    """What an encoder says it knows of n texts, if it says so of each."""
    try:
        found: NDArray[Any] = np.asarray(known)
    except ValueError:  # lists of different lengths
        found = np.empty(0)
    if found.shape != (n,) or (n and found.dtype != np.bool_):
        raise InputError(
            f"encoder: expected knows() to return {n} times True or False, got {shown(known)}"
        )
    return found


def _warn_of_truncation(encoder: IndexEncoder, texts: Sequence[str]) -> None:
    if not isinstance(encoder, CountsTokens):
        return
    limit = checked_integer(encoder.max_tokens, "encoder.max_tokens")
    for text in texts:
        # A token has a character at least.
        if len(text) < limit:
            continue
        found = encoder.count_tokens(text[:_MAX_COUNTED])
        count = checked_integer(found, "encoder.count_tokens()", 0)
        if count > limit:
            more = "at least " if len(text) > _MAX_COUNTED else ""
            warnings.warn(
                f"the query has {more}{count} tokens, and the model reads {limit}: "
                f"its vector is that of the beginning",
                TruncationWarning,
                stacklevel=callers_level(),
            )
