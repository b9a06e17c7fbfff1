"""Runs a search at one generation: scope, rank (dense, keyword, or both fused), fetch the hits."""

import json
from collections.abc import Callable, Sequence

from edgeembed_runtime.errors import SearchIndexError
from edgeembed_runtime.index.base.types import Hit
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.documents import read_documents
from edgeembed_runtime.index.search.dense import rank_by_vectors
from edgeembed_runtime.index.search.fusion import fuse, fusion_depth
from edgeembed_runtime.index.search.keyword import rank_by_words
from edgeembed_runtime.index.search.query import Queries, SearchOptions
from edgeembed_runtime.index.search.ranking import Ranking, Scope, read_scope
from edgeembed_runtime.index.segments.snapshot import Snapshot

# How much deeper a `distinct` search looks, each time that too many hits share a value.
_DISTINCT_GROWTH = 4


def search_snapshot(
    snapshot: Snapshot, catalog: Catalog, queries: Queries, options: SearchOptions
) -> list[list[Hit]]:
    """Answer every query at one generation.

    Raises:
        SnapshotPurgedError: that generation's rows are gone; use a newer snapshot.
        IndexCorruptError: a document that was found is damaged.
        SearchIndexError: keyword search without FTS5.
    """
    if not queries.count:
        return []
    if options.mode != "dense":
        _require_fts5(catalog, options)
    # No more documents can be found than there are; a huge k must not cost memory.
    max_depth = max(1, snapshot.documents)
    k = min(options.k, max_depth)
    scope = read_scope(catalog, snapshot.generation, options)

    def search(depth: int) -> list[list[Hit]]:
        rankings = _rank(snapshot, catalog, queries, options, scope, depth)
        return _read_hits(snapshot, catalog, rankings, options.min_score)

    if options.distinct is None:
        return search(k)
    return _search_distinct(search, options.distinct, k, max_depth)


def _require_fts5(catalog: Catalog, options: SearchOptions) -> None:
    if not catalog.has_fts:
        raise SearchIndexError(
            f"{catalog.path}: mode {options.mode!r} needs SQLite with FTS5, which was missing when "
            f"this index was created; use mode='dense'"
        )


def _rank(
    snapshot: Snapshot,
    catalog: Catalog,
    queries: Queries,
    options: SearchOptions,
    scope: Scope,
    k: int,
) -> list[Ranking]:
    """Rank k rows for each query: by its vector, by its words, or by both, fused."""
    by_both = queries.vectors is not None and queries.texts is not None
    depth = fusion_depth(k) if by_both else k
    rankings: list[list[Ranking]] = []
    if queries.vectors is not None:
        rankings.append(
            rank_by_vectors(snapshot, queries.vectors, depth, scope, exact=options.exact)
        )
    if queries.texts is not None:
        with catalog.reading(snapshot.generation) as connection:
            rankings.append(
                rank_by_words(
                    connection,
                    queries.texts,
                    depth,
                    scope,
                    generation=snapshot.generation,
                    condition=options.condition,
                )
            )
    return [fuse(pair, k) for pair in zip(*rankings, strict=True)] if by_both else rankings[0]


def _read_hits(
    snapshot: Snapshot, catalog: Catalog, rankings: list[Ranking], min_score: float | None
) -> list[list[Hit]]:
    if min_score is not None:
        rankings = [[pair for pair in ranking if pair[1] >= min_score] for ranking in rankings]
    with catalog.reading(snapshot.generation) as connection:
        found = read_documents(connection, {docid for ranking in rankings for docid, _ in ranking})
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


def _search_distinct(
    search: Callable[[int], list[list[Hit]]], field: str, k: int, max_depth: int
) -> list[list[Hit]]:
    """Search deeper until each query has k hits of different values, or there are no more hits."""
    depth = min(_DISTINCT_GROWTH * k, max_depth)
    while True:
        found = search(depth)
        best = [_first_of_each(hits, field)[:k] for hits in found]
        enough = all(len(b) == k or len(h) < depth for b, h in zip(best, found, strict=True))
        if enough or depth == max_depth:
            return best
        depth = min(_DISTINCT_GROWTH * depth, max_depth)


def _first_of_each(hits: Sequence[Hit], field: str) -> list[Hit]:
    """The best hit for each value of a metadata field, and every hit without the field."""
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
