"""One search from prepared queries to hits: filter, rank, fetch."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError, SearchIndexError
from edgeembed_runtime.index.base.types import Hit
from edgeembed_runtime.index.base.validation import check_k, check_keys
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.documents import VISIBLE, docids_of, fetch
from edgeembed_runtime.index.catalog.filters import Condition, compile_where
from edgeembed_runtime.index.search import dense
from edgeembed_runtime.index.search.dense import Ranking
from edgeembed_runtime.index.search.keyword import fuse, fusion_depth, rank_keywords
from edgeembed_runtime.index.search.query import SEARCH_MODES, Queries, SearchMode
from edgeembed_runtime.index.segments.snapshot import Snapshot

# How many times deeper a search looks, and looks again, when many hits may share a value.
_DISTINCT_DEPTH = 4


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The checked options of a search."""

    k: int
    condition: Condition | None
    mode: SearchMode
    exact: bool
    exclude: Sequence[str]
    min_score: float | None
    distinct: str | None


@dataclass(frozen=True, kw_only=True)
class _Scope:
    """Rows that may be found."""

    allowed: NDArray[np.int64] | None
    excluded: NDArray[np.int64]


def checked_options(
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
        raise InputError(
            f"distinct: expected a field of the metadata or None, got {distinct!r:.100}"
        )
    return SearchOptions(
        k=check_k(k),
        condition=None if where is None else compile_where(where),
        mode=known[0],
        exact=exact,
        exclude=check_keys(exclude, what="exclude"),
        min_score=min_score,
        distinct=distinct,
    )


def search_snapshot(
    snapshot: Snapshot, catalog: Catalog, queries: Queries, options: SearchOptions
) -> list[list[Hit]]:
    """Answer every query at one generation.

    Raises:
        SnapshotPurgedError: that generation's rows are gone; use a newer snapshot.
        IndexCorruptError: a found document is damaged.
        SearchIndexError: keyword search without FTS5.
    """
    if not queries.count:
        return []
    if options.mode != "dense" and not catalog.has_fts:
        raise SearchIndexError(
            f"{catalog.path}: mode {options.mode!r} needs SQLite with FTS5, which was missing when "
            f"this index was created; use mode='dense'"
        )
    # No document can be found beyond those that exist; a huge k must not cost memory.
    most = max(1, snapshot.documents)
    k = min(options.k, most)
    scope = _scope(snapshot, catalog, options)
    depth = k if options.distinct is None else min(_DISTINCT_DEPTH * k, most)
    while True:
        rankings = _rankings(snapshot, catalog, queries, options, scope, depth)
        found = _hits(snapshot, catalog, rankings, options.min_score)
        if options.distinct is None:
            return found
        best = [_first_of_each(hits, options.distinct)[:k] for hits in found]
        if all(len(b) == k or len(hits) < depth for b, hits in zip(best, found, strict=True)):
            return best
        if depth == most:
            return best
        depth = min(_DISTINCT_DEPTH * depth, most)


def _hits(
    snapshot: Snapshot, catalog: Catalog, rankings: list[Ranking], least: float | None
) -> list[list[Hit]]:
    if least is not None:
        rankings = [[pair for pair in ranking if pair[1] >= least] for ranking in rankings]
    with catalog.reading(snapshot.generation) as connection:
        found = fetch(connection, {docid for ranking in rankings for docid, _ in ranking})
    return [
        [
            Hit(
                key=found[docid].key,
                score=score,
                document=found[docid].document,
                metadata=found[docid].metadata,
            )
            for docid, score in ranking
        ]
        for ranking in rankings
    ]


def _first_of_each(hits: Sequence[Hit], field: str) -> list[Hit]:
    """The best hit for every value of a field, and every hit without it."""
    seen: set[str] = set()
    kept: list[Hit] = []
    for hit in hits:
        if hit.metadata is not None and field in hit.metadata:
            value = json.dumps(hit.metadata[field], sort_keys=True)
            if value in seen:
                continue
            seen.add(value)
        kept.append(hit)
    return kept


def _scope(snapshot: Snapshot, catalog: Catalog, options: SearchOptions) -> _Scope:
    filtered = options.condition if options.mode != "keyword" else None
    none = np.empty(0, dtype=np.int64)
    if filtered is None and not options.exclude:
        return _Scope(allowed=None, excluded=none)
    at = snapshot.generation
    with catalog.reading(at) as connection:
        allowed = None
        if filtered is not None:
            rows = connection.execute(
                f"SELECT docid FROM doc WHERE {VISIBLE} AND {filtered.sql} ORDER BY docid",
                (at, at, *filtered.values),
            )
            allowed = np.fromiter((docid for (docid,) in rows), dtype=np.int64)
        excluded = docids_of(connection, options.exclude, at).values()
        return _Scope(allowed=allowed, excluded=np.array(sorted(excluded), dtype=np.int64))


def _rankings(
    snapshot: Snapshot,
    catalog: Catalog,
    queries: Queries,
    options: SearchOptions,
    scope: _Scope,
    k: int,
) -> list[Ranking]:
    depth = fusion_depth(k) if options.mode == "hybrid" else k
    by_vector: list[Ranking] = []
    by_word: list[Ranking] = []
    if queries.vectors is not None:
        by_vector = dense.rank(
            snapshot,
            queries.vectors,
            depth,
            exact=options.exact,
            allowed=scope.allowed,
            excluded=scope.excluded,
        )
    if queries.texts is not None and options.mode != "dense":
        with catalog.reading(snapshot.generation) as connection:
            by_word = [
                rank_keywords(
                    connection,
                    text,
                    depth,
                    generation=snapshot.generation,
                    condition=options.condition,
                    excluded=frozenset(scope.excluded.tolist()),
                )
                for text in queries.texts
            ]
    if options.mode == "hybrid":
        return [fuse(pair, k) for pair in zip(by_vector, by_word, strict=True)]
    return by_word if options.mode == "keyword" else by_vector
