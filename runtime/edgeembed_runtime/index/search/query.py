"""The arguments of a search, checked: its options, and its queries as words and unit vectors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime.arguments import (
    checked_choice,
    checked_flag,
    checked_integer,
    checked_number,
    checked_unicode,
    shown,
)
from edgeembed_runtime.bundle.search_profile import SearchProfile
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.encoding import encoded_queries
from edgeembed_runtime.index.base.reranker import (
    EncoderReranker,
    Reranker,
    as_reranker,
    profile_of,
)
from edgeembed_runtime.index.base.unit_vectors import unit_row, unit_rows
from edgeembed_runtime.index.base.validation import check_k, check_keys, check_texts
from edgeembed_runtime.index.catalog.filter_sql import Condition
from edgeembed_runtime.index.catalog.filters import compile_where
from edgeembed_runtime.index.search.fusion import FUSIONS, Fusion
from edgeembed_runtime.index.terms.query import KeywordQuery, read_query

SearchMode = Literal["dense", "keyword", "hybrid"]
SEARCH_MODES: tuple[SearchMode, ...] = ("dense", "keyword", "hybrid")
Likelihood = Literal["likely", "possible"]
LIKELIHOODS: dict[Likelihood, float] = {"likely": 0.5, "possible": 0.15}
"""Names of probabilities, for `min_score` and for what people read."""
_MAX_CONTEXT = 20


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The checked options of a search; see Index.search."""

    k: int
    condition: Condition | None = None
    mode: SearchMode | None = None
    weight: float | None = None
    fusion: Fusion = "convex"
    rerank: Reranker | None = None
    depth: int = 50
    exact: bool = False
    exclude: Sequence[str] = ()
    min_score: float | Likelihood | None = None
    distinct: str | None = None
    context: int = 0


@dataclass(frozen=True, kw_only=True)
class Query:
    """One checked query: its vector, its words, or both for a hybrid search."""

    vector: NDArray[np.float32] | None
    """(d,), unit length; None in mode keyword, or if the encoder knows none of the words."""
    words: KeywordQuery | None
    """None in mode dense."""
    text: str | None
    """What a reranker gets; None for a vector alone."""


def check_options(
    k: object,
    *,
    where: object = None,
    mode: object = None,
    weight: object = None,
    fusion: object = "convex",
    rerank: object = None,
    depth: object = 50,
    exact: object = False,
    exclude: Iterable[str] = (),
    min_score: object = None,
    distinct: object = None,
    context: object = 0,
) -> SearchOptions:
    """Check the options of a search.

    Raises:
        InputError: one cannot be used.
    """
    joined: Fusion = checked_choice(fusion, FUSIONS, "fusion")
    if weight is not None and joined == "rrf":
        raise InputError(
            "weight: expected fusion='convex' with it; reciprocal ranks have no weight"
        )
    return SearchOptions(
        k=check_k(k),
        condition=None if where is None else compile_where(where),
        mode=None if mode is None else checked_choice(mode, SEARCH_MODES, "mode"),
        weight=None if weight is None else checked_number(weight, "weight", 0, 1),
        fusion=joined,
        rerank=None if rerank is None else as_reranker(rerank),
        depth=check_k(depth, what="depth"),
        exact=checked_flag(exact, "exact"),
        exclude=check_keys(exclude, what="exclude"),
        min_score=_min_score(min_score),
        distinct=None if distinct is None else checked_unicode(distinct, "distinct"),
        context=checked_integer(context, "context", 0, _MAX_CONTEXT),
    )


def _min_score(value: object) -> float | Likelihood | None:
    if value is None or (isinstance(value, str) and value in LIKELIHOODS):
        return value
    try:
        return checked_number(value, "min_score")
    except InputError:
        raise InputError(
            f"min_score: expected a number, {' or '.join(map(repr, LIKELIHOODS))}, or None, got "
            f"{shown(value)}"
        ) from None


def check_queries(
    queries: Sequence[str] | ArrayLike,
    options: SearchOptions,
    encoder: IndexEncoder | None,
    *,
    dim: int,
    vectors: ArrayLike | None = None,
) -> list[Query]:
    """Check a list of texts, encoded in one call if need be, or (n, d) vectors, or both.

    Raises:
        InputError: a text is empty; texts without an encoder, vectors where texts are needed, or
            bad vectors; mode dense and a text of which the encoder knows no word.
    """
    if isinstance(queries, str):
        raise InputError("queries: expected a list, got str; use search() for one query")
    if not _all_texts(queries):
        if vectors is not None:
            raise InputError("vector: expected a text beside it, got two vectors")
        if options.mode not in (None, "dense") or options.rerank is not None:
            need = "rerank" if options.rerank is not None else f"mode {options.mode!r}"
            raise InputError(f"query: {need} expects a text, got a vector")
        rows = unit_rows(cast("ArrayLike", queries), dim=dim, what="queries")
        return [Query(vector=row, words=None, text=None) for row in rows]
    texts = check_texts(queries, what="queries")
    for position, text in enumerate(texts):
        if not text.strip():
            raise InputError(
                f"queries[{position}]: expected words to search for, got an empty text"
            )
    return _text_queries(texts, options.mode or "hybrid", encoder, dim, vectors)


def check_query(
    query: str | ArrayLike,
    options: SearchOptions,
    encoder: IndexEncoder | None,
    *,
    dim: int,
    vector: ArrayLike | None = None,
) -> Query:
    """Check one text, or (d,) vector, or both; see check_queries."""
    if not isinstance(query, str):
        row = unit_row(query, dim=dim, what="query")
        return check_queries(row[None], options, encoder, dim=dim, vectors=vector)[0]
    checked_unicode(query, "query")
    if not query.strip():
        raise InputError("query: expected words to search for, got an empty text")
    given = None if vector is None else unit_row(vector, dim=dim, what="vector")[None]
    if given is not None and options.mode == "keyword":
        raise InputError("vector: expected mode 'dense' or 'hybrid' with it, got mode 'keyword'")
    return check_queries([query], options, encoder, dim=dim, vectors=given)[0]


def check_likelihood(options: SearchOptions, profile: SearchProfile) -> None:
    """Make sure that a probability as `min_score` can be told of the hits.

    Raises:
        InputError: only keywords are searched, or nobody has measured what the cosines mean.
    """
    name = options.min_score
    if not isinstance(name, str):
        return
    calibration = profile.calibration
    if options.rerank is not None:
        calibration = None
        if isinstance(options.rerank, EncoderReranker):
            calibration = profile_of(options.rerank.encoder).calibration
    elif options.mode == "keyword":
        calibration = None
    if calibration is None:
        raise InputError(
            f"min_score: {name!r} expects an encoder with a calibration, which says what its "
            f"cosines mean; this search has none, so pass a number"
        )


def _text_queries(
    texts: list[str],
    mode: SearchMode,
    encoder: IndexEncoder | None,
    dim: int,
    vectors: ArrayLike | None,
) -> list[Query]:
    words = [read_query(text) for text in texts] if mode != "dense" else [None] * len(texts)
    plain = [text if each is None else each.text for text, each in zip(texts, words, strict=True)]
    if mode == "keyword":
        rows = np.zeros((len(texts), dim), np.float32)
    elif vectors is not None:
        rows = unit_rows(vectors, dim=dim, what="vector")
    else:
        rows = encoded_queries(_required(encoder), plain, dim=dim)
    known: NDArray[np.bool_] = np.any(rows != 0, axis=1)
    if mode == "dense" and not known.all():
        raise InputError(
            f"queries[{int(np.argmin(known))}]: expected a word that the model knows, found none; "
            f"search with mode='keyword', or with a model of this language"
        )
    return [
        Query(vector=row if is_known else None, words=each, text=text)
        for row, is_known, each, text in zip(
            rows, cast("list[bool]", known.tolist()), words, plain, strict=True
        )
    ]


def _all_texts(queries: object) -> bool:
    if not isinstance(queries, list | tuple):
        return False
    return all(isinstance(query, str) for query in cast("Sequence[object]", queries))


def _required(encoder: IndexEncoder | None) -> IndexEncoder:
    if encoder is None:
        raise InputError(
            "query: got a text, but the index was opened without an encoder; pass encoder=..., or "
            "search with a vector or mode='keyword'"
        )
    return encoder
