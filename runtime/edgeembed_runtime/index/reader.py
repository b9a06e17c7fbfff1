"""Reading an open index: documents by key, search, and what it is made of."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime.arguments import checked_flag
from edgeembed_runtime.errors import SearchIndexError
from edgeembed_runtime.index.admin.scan import DocumentBatch, read_batches
from edgeembed_runtime.index.admin.stats import gather_stats
from edgeembed_runtime.index.admin.verify import verify_index
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.reranker import Reranker, profile_of
from edgeembed_runtime.index.base.types import Hit, IndexStats, StoredDocument, VerifyReport
from edgeembed_runtime.index.base.validation import check_k, check_keys, check_prefix
from edgeembed_runtime.index.catalog.catalog import Catalog, SnapshotPurgedError
from edgeembed_runtime.index.catalog.filters import compile_optional
from edgeembed_runtime.index.catalog.notes import read_notes
from edgeembed_runtime.index.search.execute import search_snapshot
from edgeembed_runtime.index.search.fusion import Fusion
from edgeembed_runtime.index.search.lookup import (
    count_matching,
    documents_of,
    keys_of,
    vectors_of,
)
from edgeembed_runtime.index.search.query import (
    Likelihood,
    Query,
    SearchMode,
    SearchOptions,
    check_options,
    check_queries,
    check_query,
)
from edgeembed_runtime.index.search.recommend import direction_between, listed_keys
from edgeembed_runtime.index.segments.snapshot import Snapshot, load_snapshot

T = TypeVar("T")
# A read starts again if a compaction has purged its generation. Each time the index has moved on,
# so more than a few times means a writer that compacts without end.
_ATTEMPTS = 10


class IndexReader:
    """What can be asked of an open index; `Index` adds opening and writing."""

    def __init__(
        self, path: Path, catalog: Catalog, encoder: IndexEncoder | None, *, writable: bool
    ) -> None:
        """Read from an open catalog.

        Args:
            path: the index's directory.
            catalog: its catalog.
            encoder: encodes documents and queries.
            writable: whether this process writes, and so sees the newest generation at once.
        """
        self.path: Path = path
        self._catalog = catalog
        self._encoder = encoder
        self._follows = writable
        self._lock = threading.RLock()
        self._snapshot: Snapshot | None = None

    @property
    def dim(self) -> int:
        """Components per vector."""
        return self._catalog.dim

    @property
    def space(self) -> str:
        """The fingerprint of the vector space; "" for vectors of your own without a name."""
        return self._catalog.space

    @property
    def info(self) -> Mapping[str, str]:
        """The named texts that the index was created with."""
        return MappingProxyType(self._catalog.info)

    @property
    def generation(self) -> int:
        """The number of the commit that this object sees."""
        return self._current().generation

    def get(self, keys: str | Iterable[str]) -> list[StoredDocument | None]:
        """Read documents by key, in the order of the keys; None where there is none.

        Raises:
            InputError: a key is invalid.
            IndexCorruptError: a document's checksum does not match.
        """
        wanted = check_keys([keys] if isinstance(keys, str) else keys)
        return self._at_current(lambda snapshot: documents_of(wanted, snapshot, self._catalog))

    def vectors(self, keys: str | Iterable[str]) -> NDArray[np.float32]:
        """Read the stored vectors of documents, in the order of the keys: (n, dim), unit length.

        Raises:
            InputError: a key is invalid, or not in the index.
        """
        wanted = check_keys([keys] if isinstance(keys, str) else keys)
        return self._at_current(lambda snapshot: vectors_of(wanted, snapshot, self._catalog))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get([key])[0] is not None

    def __len__(self) -> int:
        return self._current().documents

    def notes(self) -> dict[str, str]:
        """The named texts that upsert() wrote, as of the newest generation."""
        with self._catalog.reading() as connection:
            return read_notes(connection)

    def count(self, *, where: Mapping[str, Any] | None = None) -> int:
        """How many documents match a filter on metadata, as in search.

        Raises:
            InputError: `where` cannot be used.
        """
        condition = compile_optional(where)
        return self._at_current(lambda snapshot: count_matching(condition, snapshot, self._catalog))

    def keys(self, prefix: str = "", *, where: Mapping[str, Any] | None = None) -> Iterator[str]:
        """The keys that start with `prefix`, in the order of their last write.

        Args:
            prefix: the beginning of a key.
            where: a filter on metadata, as in search.

        Raises:
            InputError: `prefix` is not a text, or `where` cannot be used.
        """
        wanted, condition = check_prefix(prefix), compile_optional(where)
        return iter(
            self._at_current(lambda snapshot: keys_of(wanted, condition, snapshot, self._catalog))
        )

    def batches(
        self, size: int = 4096, *, where: Mapping[str, Any] | None = None
    ) -> Iterator[DocumentBatch]:
        """All documents of one generation with their vectors, in the order of writing.

        Args:
            size: documents per batch, at least 1.
            where: a filter on metadata, as in search.

        Raises:
            InputError: an argument cannot be used.
            IndexCorruptError: a document is damaged.
            SearchIndexError: the index was compacted meanwhile; read it again.
        """
        count = check_k(size, what="size")
        return read_batches(self._current(), self._catalog, compile_optional(where), count)

    def search(
        self,
        query: str | ArrayLike,
        k: int = 10,
        *,
        vector: ArrayLike | None = None,
        where: Mapping[str, Any] | None = None,
        mode: SearchMode | None = None,
        weight: float | None = None,
        fusion: Fusion = "convex",
        rerank: IndexEncoder | Reranker | None = None,
        depth: int = 50,
        exact: bool = False,
        exclude: Iterable[str] = (),
        min_score: float | Likelihood | None = None,
        distinct: str | None = None,
        context: int = 0,
    ) -> list[Hit]:
        """Find the k best documents, best first, ties in the order of writing.

        Where keywords are searched, "a phrase" in quotes must occur, and a -word must not.
        Of a text longer than the encoder takes, the beginning counts, with a TruncationWarning; of
        its words, the first 64. A text of which the encoder knows no word is answered by keywords.

        Args:
            query: a text, or a (dim,) vector.
            k: at least 1; fewer hits only if fewer documents match or reach min_score.
            vector: (dim,), takes the place of the text's own vector.
            where: a filter on metadata; see docs/reference/index-format.md.
            mode: dense (cosine), keyword (BM25) or hybrid (both, fused); None is hybrid for a text,
                dense for a vector.
            weight: the share of the cosine in hybrid search, 0 to 1; None: the encoder's own.
            fusion: how hybrid search joins its two rankings: "convex" by scores, "rrf" by ranks.
            rerank: a better and slower encoder, of any space, or a Reranker, that scores the best
                candidates again. An encoder's cosines are fused with the keywords' scores.
            depth: how many candidates `rerank` gets.
            exact: never search approximately: the hits are the true neighbors.
            exclude: keys to leave out.
            min_score: leave out hits below it: below a score (see Hit), or below a probability by
                name, "likely" (0.5) or "possible" (0.15).
            distinct: a metadata field; of hits that share its value only the best stays, such as
                the best passage of every file with distinct="source".
            context: how many passages before and behind a hit of the same source come with it.

        Raises:
            InputError: an argument cannot be used.
            RerankError: `rerank` raised, or returned scores that cannot be used.
            IndexReadOnlyError: closed.
            IndexCorruptError: a document that was found is damaged.
        """
        options = check_options(
            k,
            where=where,
            mode=mode,
            weight=weight,
            fusion=fusion,
            rerank=rerank,
            depth=depth,
            exact=exact,
            exclude=exclude,
            min_score=min_score,
            distinct=distinct,
            context=context,
        )
        checked = check_query(query, options, self._encoder, dim=self.dim, vector=vector)
        return self._search([checked], options)[0]

    def search_many(
        self,
        queries: Sequence[str] | ArrayLike,
        k: int = 10,
        *,
        where: Mapping[str, Any] | None = None,
        mode: SearchMode | None = None,
        weight: float | None = None,
        fusion: Fusion = "convex",
        rerank: IndexEncoder | Reranker | None = None,
        depth: int = 50,
        exact: bool = False,
        exclude: Iterable[str] = (),
        min_score: float | Likelihood | None = None,
        distinct: str | None = None,
        context: int = 0,
    ) -> list[list[Hit]]:
        """Search for n texts, encoded in one call, or for (n, dim) vectors; see search."""
        options = check_options(
            k,
            where=where,
            mode=mode,
            weight=weight,
            fusion=fusion,
            rerank=rerank,
            depth=depth,
            exact=exact,
            exclude=exclude,
            min_score=min_score,
            distinct=distinct,
            context=context,
        )
        return self._search(check_queries(queries, options, self._encoder, dim=self.dim), options)

    def recommend(
        self,
        positive: str | Iterable[str],
        negative: str | Iterable[str] = (),
        k: int = 10,
        *,
        where: Mapping[str, Any] | None = None,
        exact: bool = False,
        exclude: Iterable[str] = (),
        min_score: float | None = None,
    ) -> list[Hit]:
        """Find the k documents most similar to some documents, and least to others.

        The query is the mean of the positive vectors minus the mean of the negative ones (Rocchio,
        1971, with equal weights). The named documents themselves are never found.

        Args:
            positive: keys of liked documents, at least one.
            negative: keys of disliked documents.
            k: as in search, like all that follow.
            where: a filter on metadata.
            exact: never search approximately.
            exclude: more keys to leave out.
            min_score: leave out hits below it.

        Raises:
            InputError: see search; or a key is not in the index, or the two means cancel out.
        """
        liked, disliked = listed_keys(positive, "positive"), listed_keys(negative, "negative")
        query = direction_between(self.vectors(liked), self.vectors(disliked))
        hidden = [*liked, *disliked, *check_keys(exclude, what="exclude")]
        options = check_options(k, where=where, exact=exact, exclude=hidden, min_score=min_score)
        return self._search([check_query(query, options, None, dim=self.dim)], options)[0]

    def _search(self, queries: Sequence[Query], options: SearchOptions) -> list[list[Hit]]:
        profile = profile_of(self._encoder)
        return self._at_current(
            lambda snapshot: search_snapshot(snapshot, self._catalog, queries, options, profile)
        )

    def stats(self) -> IndexStats:
        """Counts, sizes and measurements of the generation that this object sees."""
        return gather_stats(self.path, self._catalog, self._current())

    def refresh(self) -> None:
        """See the newest generation; a writer always does.

        Raises:
            IndexReplacedError: another index, or none, is at its path now.
        """
        self._require_open()
        self._catalog.require_same_files()
        with self._lock:
            self._snapshot = self._load(self._snapshot)

    def verify(self, full: bool = True) -> VerifyReport:
        """Look for damage and list it; `full` reads every byte."""
        self._require_open()
        self._catalog.require_same_files()
        return verify_index(self.path, self._catalog, full=checked_flag(full, "full"))

    def _require_open(self) -> None:
        self._catalog.require_open()

    def _load(self, previous: Snapshot | None) -> Snapshot:
        with self._catalog.reading() as connection:
            snapshot = load_snapshot(connection, self.path, self._catalog.dim, previous)
        if snapshot is not previous:
            # Files were opened: they are this index's only if its paths still lead to it.
            self._catalog.require_same_files()
        return snapshot

    def _current(self) -> Snapshot:
        self._require_open()
        with self._lock:
            if self._follows or self._snapshot is None:
                self._snapshot = self._load(self._snapshot)
            return self._snapshot

    def _at_current(self, action: Callable[[Snapshot], T]) -> T:
        for _ in range(_ATTEMPTS):
            try:
                return action(self._current())
            except SnapshotPurgedError:
                self.refresh()
        raise SearchIndexError(f"{self.path}: the index is compacted faster than it can be read")
