"""What a caller searches for: texts, vectors, or both; checked and of unit length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.unit_vectors import unit_row, unit_rows
from edgeembed_runtime.index.base.validation import check_texts

SearchMode = Literal["dense", "keyword", "hybrid"]
SEARCH_MODES: tuple[SearchMode, ...] = ("dense", "keyword", "hybrid")


@dataclass(frozen=True, kw_only=True)
class Queries:
    """n queries: texts for keyword search, (n, d) unit vectors for search by vector."""

    count: int
    texts: Sequence[str] | None
    vectors: NDArray[np.float32] | None


def one_query(
    query: str | ArrayLike, encoder: IndexEncoder | None, *, dim: int, mode: SearchMode
) -> Queries:
    """Prepare a text or a (d,) vector.

    Raises:
        InputError: see many_queries.
    """
    if not isinstance(query, str):
        _require_dense(mode)
        return Queries(count=1, texts=None, vectors=unit_row(query, dim=dim, what="query")[None])
    check_texts([query], what="query")
    vectors = None
    if mode != "keyword":
        encoded = _required(encoder).encode_query(query)
        vectors = unit_row(encoded, dim=dim, what="encoder")[None]
    return Queries(count=1, texts=[query], vectors=vectors)


def many_queries(
    queries: Sequence[str] | ArrayLike, encoder: IndexEncoder | None, *, dim: int, mode: SearchMode
) -> Queries:
    """Prepare a list of texts, encoded in one call, or (n, d) vectors.

    Raises:
        InputError: texts without an encoder, vectors where texts are needed, or bad vectors.
    """
    if isinstance(queries, str):
        raise InputError("queries: expected a list, got str; use search() for one query")
    if _all_texts(queries):
        texts = check_texts(queries, what="queries")
        vectors = None
        if mode != "keyword":
            encoded = _required(encoder).encode_query(texts) if texts else np.empty((0, dim))
            vectors = unit_rows(encoded, dim=dim, what="encoder")
        return Queries(count=len(texts), texts=texts, vectors=vectors)
    _require_dense(mode)
    vectors = unit_rows(cast("ArrayLike", queries), dim=dim, what="queries")
    return Queries(count=len(vectors), texts=None, vectors=vectors)


def _all_texts(queries: object) -> bool:
    if not isinstance(queries, list | tuple):
        return False
    return all(isinstance(query, str) for query in cast("Sequence[object]", queries))


def _require_dense(mode: SearchMode) -> None:
    if mode != "dense":
        raise InputError(f"query: mode {mode!r} expects a text, got a vector")


def _required(encoder: IndexEncoder | None) -> IndexEncoder:
    if encoder is None:
        raise InputError(
            "query: got a text, but the index was opened without an encoder; pass encoder=..., or "
            "search with a vector or mode='keyword'"
        )
    return encoder
