"""Runs a search at one generation: scope, rank by vectors and words, fuse, re-score, read hits."""

import json
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle.search_profile import SearchProfile
from edgeembed_runtime.errors import SearchIndexError
from edgeembed_runtime.index.base.encoding import titled
from edgeembed_runtime.index.base.reranker import EncoderReranker, profile_of, rerank_scores
from edgeembed_runtime.index.base.types import Hit
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.documents import blank_docids, read_documents
from edgeembed_runtime.index.search.dense import rank_by_vectors
from edgeembed_runtime.index.search.fusion import (
    KeywordRanking,
    Ranking,
    fuse_ranks,
    fuse_scores,
    fusion_depth,
)
from edgeembed_runtime.index.search.hits import Ranked, cosines_of, read_hits
from edgeembed_runtime.index.search.keyword import rank_by_words, rows_matching
from edgeembed_runtime.index.search.query import Query, SearchOptions, check_likelihood
from edgeembed_runtime.index.search.scope import Scope, read_scope
from edgeembed_runtime.index.segments.snapshot import Snapshot

# How much deeper a `distinct` search looks, each time that too many hits share a value.
_DISTINCT_GROWTH = 4
_NO_WORDS = KeywordRanking(pairs=[], bound=0.0)
_NO_ROWS: NDArray[np.int64] = np.empty(0, np.int64)


def search_snapshot(
    snapshot: Snapshot,
    catalog: Catalog,
    queries: Sequence[Query],
    options: SearchOptions,
    profile: SearchProfile,
) -> list[list[Hit]]:
    """Answer every query at one generation.

    Raises:
        SnapshotPurgedError: that generation's rows are gone; use a newer snapshot.
        IndexCorruptError: a document that was found is damaged.
        RerankError: the reranker failed.
        InputError: a probability as min_score, and nothing that tells probabilities.
        SearchIndexError: keyword search without FTS5.
    """
    if not queries:
        return []
    check_likelihood(options, profile)
    search = Search(snapshot, catalog, queries, options, profile)
    # No more documents can be found than there are; a huge k must not cost memory.
    max_depth = max(1, snapshot.documents)
    k = min(options.k, max_depth)
    if options.distinct is None:
        return search.hits(k)
    return _search_distinct(search.hits, options.distinct, k, max_depth)


class Search:
    """Some queries at one generation."""

    def __init__(
        self,
        snapshot: Snapshot,
        catalog: Catalog,
        queries: Sequence[Query],
        options: SearchOptions,
        profile: SearchProfile,
    ) -> None:
        """Find the rows in scope; raises like search_snapshot."""
        self._snapshot = snapshot
        self._catalog = catalog
        self._options = options
        self._profile = profile
        self._weight = profile.weight if options.weight is None else options.weight
        if not catalog.has_fts:
            queries = [self._without_words(query) for query in queries]
        elif any(query.words for query in queries):
            catalog.warn_if_outdated()
        self._queries = queries
        by_vector = any(query.vector is not None for query in queries)
        with catalog.reading(snapshot.generation) as connection:
            scope = read_scope(connection, snapshot, options, by_vector=by_vector)
            blank = blank_docids(connection) if by_vector else _NO_ROWS
        self._scope = scope
        self._dense_scope = scope.narrowed(None, blank)

    def hits(self, k: int) -> list[list[Hit]]:
        """The k best of each query."""
        depth = k
        if self._options.rerank is not None:
            depth = max(k, min(self._options.depth, self._snapshot.documents))
        found = [
            self._finished(query, ranked, k)
            for query, ranked in zip(self._queries, self._fused(depth), strict=True)
        ]
        with self._catalog.reading(self._snapshot.generation) as connection:
            return read_hits(connection, self._snapshot.generation, found, self._options)

    def _without_words(self, query: Query) -> Query:
        if self._options.mode in (None, "dense") and query.vector is not None:
            return Query(vector=query.vector, words=None, text=query.text)
        raise SearchIndexError(
            f"{self._catalog.path}: mode {self._options.mode or 'hybrid'!r} needs SQLite with "
            f"FTS5, which was missing when this index was created; use mode='dense'"
        )

    def _fused(self, k: int) -> list[tuple[Ranking, KeywordRanking]]:
        """For each query its fused ranking, and the one by words."""
        hybrid = any(q.words is not None and q.vector is not None for q in self._queries)
        depth = fusion_depth(k) if hybrid or self._options.rerank is not None else k
        by_words = [self._by_words(query, depth) for query in self._queries]
        by_vector = self._by_vectors(depth)
        return [
            (self._fuse(query, dense, words, k), words)
            for query, dense, words in zip(self._queries, by_vector, by_words, strict=True)
        ]

    def _fuse(self, query: Query, dense: Ranking, words: KeywordRanking, k: int) -> Ranking:
        if query.words is None or not words.pairs:
            return dense[:k]
        if query.vector is None:
            return words.pairs[:k]
        if self._options.fusion == "rrf":
            return fuse_ranks([dense, words.pairs], k)
        return fuse_scores(dense, words, k, weight=self._weight)

    def _by_words(self, query: Query, k: int) -> KeywordRanking:
        if query.words is None:
            return _NO_WORDS
        with self._catalog.reading(self._snapshot.generation) as connection:
            return rank_by_words(
                connection,
                query.words,
                k,
                self._scope,
                generation=self._snapshot.generation,
                documents=self._snapshot.documents,
                condition=self._options.condition,
            )

    def _by_vectors(self, k: int) -> list[Ranking]:
        """Rank by vectors: together, but for queries with operators, which have own scopes."""
        found: list[Ranking] = [[] for _ in self._queries]
        groups: dict[int, tuple[Scope, list[int]]] = {}
        for number, query in enumerate(self._queries):
            if query.vector is not None:
                own = self._operators_scope(query)
                group = number if own is not None else -1
                groups.setdefault(group, (own or self._dense_scope, []))[1].append(number)
        for scope, numbers in groups.values():
            vectors = np.stack([v for n in numbers if (v := self._queries[n].vector) is not None])
            exact = self._options.exact
            rankings = rank_by_vectors(self._snapshot, vectors, k, scope, exact=exact)
            for number, ranking in zip(numbers, rankings, strict=True):
                found[number] = ranking
        return found

    def _operators_scope(self, query: Query) -> Scope | None:
        words = query.words
        if words is None or not (words.required or words.forbidden):
            return None
        with self._catalog.reading(self._snapshot.generation) as connection:
            allowed = rows_matching(connection, words.required) if words.required else None
            forbidden = rows_matching(connection, words.forbidden) if words.forbidden else []
        return self._dense_scope.narrowed(
            None if allowed is None else np.array(allowed, np.int64), np.array(forbidden, np.int64)
        )

    def _finished(self, query: Query, found: tuple[Ranking, KeywordRanking], k: int) -> Ranked:
        """Re-scored if asked for, with its cosines."""
        ranking, words = found
        if self._options.rerank is not None and query.text is not None:
            return self._rescored(query.text, ranking, words, k)
        cosines: dict[int, float] = {}
        if query.words is None:
            cosines = dict(ranking)
        elif query.vector is not None and ranking:
            docids = [docid for docid, _ in ranking]
            cosines = cosines_of(self._snapshot, query.vector, docids)
        return Ranked(ranking=ranking, cosines=cosines, calibration=self._profile.calibration)

    def _rescored(self, text: str, ranking: Ranking, words: KeywordRanking, k: int) -> Ranked:
        reranker = self._options.rerank
        assert reranker is not None
        candidates = [docid for docid, _ in ranking]
        with self._catalog.reading(self._snapshot.generation) as connection:
            documents = read_documents(connection, candidates)
        texts = [titled(documents[d].title, documents[d].document or "") for d in candidates]
        scores: list[float] = rerank_scores(reranker, text, texts).tolist() if texts else []
        rescored = sorted(
            zip(candidates, scores, strict=True), key=lambda pair: (-pair[1], pair[0])
        )
        if not isinstance(reranker, EncoderReranker):
            # Trained to judge on its own: words add nothing, unless somebody asks for them.
            weight = 1.0 if self._options.weight is None else self._options.weight
            fused = fuse_scores(rescored, self._among(words, candidates), k, weight=weight)
            ranking = rescored[:k] if weight == 1 else fused
            return Ranked(ranking=ranking, cosines={}, calibration=None)
        profile = profile_of(reranker.encoder)
        weight = profile.weight if self._options.weight is None else self._options.weight
        if self._options.mode == "dense":
            weight = 1.0
        fused = fuse_scores(rescored, self._among(words, candidates), k, weight=weight)
        known = {docid: cosine for docid, cosine in rescored if cosine != 0}
        return Ranked(ranking=fused, cosines=known, calibration=profile.calibration)

    @staticmethod
    def _among(words: KeywordRanking, candidates: Sequence[int]) -> KeywordRanking:
        wanted = frozenset(candidates)
        pairs = [pair for pair in words.pairs if pair[0] in wanted]
        return KeywordRanking(pairs=pairs, bound=words.bound)


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
