"""The arguments of a search, checked: its options, and its queries as texts and unit vectors."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.unit_vectors import unit_row, unit_rows
from edgeembed_runtime.index.base.validation import check_k, check_keys, check_texts
from edgeembed_runtime.index.catalog.filters import Condition, compile_where

SearchMode = Literal["dense", "keyword", "hybrid"]
SEARCH_MODES: tuple[SearchMode, ...] = ("dense", "keyword", "hybrid")


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The checked options of a search; see Index.search."""

    k: int
    condition: Condition | None
    mode: SearchMode
    exact: bool
    exclude: Sequence[str]
    min_score: float | None
    distinct: str | None


@dataclass(frozen=True, kw_only=True)
class Queries:
    """n checked queries, as the mode needs them: vectors, texts, or both for a hybrid search."""

    count: int
    vectors: NDArray[np.float32] | None
    """(n, d), unit length; None in mode keyword."""
    texts: Sequence[str] | None
    """n texts to look up words of; None in mode dense."""


def check_options(
    k: object,
    where: object,
    mode: object,
    exact: bool,
    exclude: Iterable[str],
    min_score: object = None,
    distinct: object = None,
) -> SearchOptions:
    """Check the options of a search.

    Raises:
        InputError: one cannot be used.
    """
    known: list[SearchMode] = [name for name in SEARCH_MODES if name == mode]
    if not known:
        raise InputError(f"mode: expected one of {', '.join(SEARCH_MODES)}, got {mode!r}")
    if min_score is not None and (
        isinstance(min_score, bool)
        or not isinstance(min_score, int | float)
        or not math.isfinite(min_score)
    ):
        raise InputError(f"min_score: expected a number or None, got {min_score!r:.100}")
    if distinct is not None and not isinstance(distinct, str):
        raise InputError(f"distinct: expected a metadata field or None, got {distinct!r:.100}")
    return SearchOptions(
        k=check_k(k),
        condition=None if where is None else compile_where(where),
        mode=known[0],
        exact=exact,
        exclude=check_keys(exclude, what="exclude"),
        min_score=min_score,
        distinct=distinct,
    )


def check_query(
    query: str | ArrayLike, encoder: IndexEncoder | None, *, dim: int, mode: SearchMode
) -> Queries:
    """Check one text or (d,) vector; encode the text if the mode needs its vector.

    Raises:
        InputError: see check_queries.
    """
    if not isinstance(query, str):
        _require_dense(mode)
        return Queries(count=1, vectors=unit_row(query, dim=dim, what="query")[None], texts=None)
    check_texts([query], what="query")
    vectors = None
    if mode != "keyword":
        encoded = _require_encoder(encoder).encode_query(query)
        vectors = unit_row(encoded, dim=dim, what="encoder")[None]
    return Queries(count=1, vectors=vectors, texts=None if mode == "dense" else [query])


def check_queries(
    queries: Sequence[str] | ArrayLike, encoder: IndexEncoder | None, *, dim: int, mode: SearchMode
) -> Queries:
    """Check a list of texts, encoded in one call if need be, or (n, d) vectors.

    Raises:
        InputError: texts without an encoder, vectors where texts are needed, or bad vectors.
    """
    if isinstance(queries, str):
        raise InputError("queries: expected a list, got str; use search() for one query")
    if _all_texts(queries):
        texts = check_texts(queries, what="queries")
        vectors = None
        if mode != "keyword":
            encoded = _require_encoder(encoder).encode_query(texts) if texts else np.empty((0, dim))
            vectors = unit_rows(encoded, dim=dim, what="encoder")
        return Queries(count=len(texts), vectors=vectors, texts=None if mode == "dense" else texts)
    _require_dense(mode)
    vectors = unit_rows(cast("ArrayLike", queries), dim=dim, what="queries")
    return Queries(count=len(vectors), vectors=vectors, texts=None)


def _all_texts(queries: object) -> bool:
    if not isinstance(queries, list | tuple):
        return False
    return all(isinstance(query, str) for query in cast("Sequence[object]", queries))


def _require_dense(mode: SearchMode) -> None:
    if mode != "dense":
        raise InputError(f"query: mode {mode!r} expects a text, got a vector")


def _require_encoder(encoder: IndexEncoder | None) -> IndexEncoder:
    if encoder is None:
        raise InputError(
            "query: got a text, but the index was opened without an encoder; pass encoder=..., or "
            "search with a vector or mode='keyword'"
        )
    return encoder
