"""Encodes documents and queries for an index; a text without a known word gets no vector."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.unit_vectors import unit_rows
from edgeembed_runtime.index.base.validation import check_lengths


@runtime_checkable
class KnowsTexts(Protocol):
    """An encoder that can tell which texts it understands; `Encoder` does."""

    def knows(self, texts: Sequence[str]) -> Sequence[bool]:
        """Whether each text has a token that the model knows."""
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
    known = _known(encoder, texts)
    vectors = np.zeros((len(texts), dim), np.float32)
    if known.any():
        chosen = [text for text, is_known in zip(texts, known.tolist(), strict=True) if is_known]
        found = unit_rows(encoder.encode_document(chosen), dim=dim, what="encoder")
        check_lengths(len(chosen), encoder=len(found))
        vectors[known] = found
    return vectors


def encoded_queries(
    encoder: IndexEncoder, texts: Sequence[str], *, dim: int
) -> NDArray[np.float32]:
    """The same for queries."""
    known = _known(encoder, texts)
    vectors = np.zeros((len(texts), dim), np.float32)
    if known.any():
        chosen = [text for text, is_known in zip(texts, known.tolist(), strict=True) if is_known]
        found = encoder.encode_query(chosen[0] if len(chosen) == 1 else chosen)
        found = unit_rows(np.atleast_2d(found), dim=dim, what="encoder")
        check_lengths(len(chosen), encoder=len(found))
        vectors[known] = found
    return vectors


def _known(encoder: IndexEncoder, texts: Sequence[str]) -> NDArray[np.bool_]:
    if not isinstance(encoder, KnowsTexts):
        return np.ones(len(texts), np.bool_)
    return np.array(encoder.knows(texts), np.bool_).reshape(len(texts))
