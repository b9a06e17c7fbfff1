"""The Index: documents and their vectors, found by meaning, by word, or by key."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import IndexReadOnlyError, InputError, SearchIndexError
from edgeembed_runtime.index.admin.backup import copy_index
from edgeembed_runtime.index.admin.repair import RepairReport, read_damaged, repair
from edgeembed_runtime.index.admin.scan import DocumentBatch, read_batches
from edgeembed_runtime.index.admin.stats import gather_stats
from edgeembed_runtime.index.admin.verify import require_sound, verify_index
from edgeembed_runtime.index.ann.registry import allowed_backends
from edgeembed_runtime.index.base.encoder_protocol import (
    IndexEncoder,
    check_fits,
    check_space,
)
from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.index.base.types import Hit, IndexStats, StoredDocument, VerifyReport
from edgeembed_runtime.index.base.validation import check_k, check_keys
from edgeembed_runtime.index.catalog.catalog import Catalog, SnapshotPurgedError
from edgeembed_runtime.index.catalog.create import create_if_missing, create_index
from edgeembed_runtime.index.catalog.filters import compile_where
from edgeembed_runtime.index.catalog.lock import WriterLock
from edgeembed_runtime.index.catalog.notes import check_notes, read_notes
from edgeembed_runtime.index.search.execute import search_snapshot
from edgeembed_runtime.index.search.lookup import documents_of, keys_of, vectors_of
from edgeembed_runtime.index.search.query import (
    Queries,
    SearchMode,
    SearchOptions,
    check_options,
    check_queries,
    check_query,
)
from edgeembed_runtime.index.search.recommend import direction_between, listed_keys
from edgeembed_runtime.index.segments.snapshot import Snapshot, load_snapshot
from edgeembed_runtime.index.write.batch import make_batch
from edgeembed_runtime.index.write.commit import Writer

T = TypeVar("T")
_DEFAULTS = IndexSettings()
# A read starts again if a compaction has purged its generation. Each time the index has moved on,
# so more than a few times means a writer that compacts without end.
_ATTEMPTS = 10


@public
class Index:
    """An open index directory. Many threads may use it at once; close it, or use `with`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
        writable: bool = False,
        dim: int | None = None,
        space: str | None = None,
        lock_timeout_s: float = 0.1,
        settings: IndexSettings = _DEFAULTS,
    ) -> None:
        """Open an index that is there; use Index.open or Index.create."""
        self.path: Path = Path(path).absolute()
        self.mode: Literal["r", "rw"] = "rw" if writable else "r"
        self._encoder = encoder
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._writer: Writer | None = None
        with contextlib.ExitStack() as opened:
            timeout_s = settings.busy_timeout_s
            self._catalog = Catalog(self.path, writable=writable, busy_timeout_s=timeout_s)
            opened.callback(self._catalog.close)
            check_space(dim, space, index_dim=self._catalog.dim, index_space=self._catalog.space)
            if encoder is not None:
                check_fits(encoder, dim=self._catalog.dim, space=self._catalog.space)
            self._snapshot: Snapshot | None = None
            if writable:
                # After the checks above, so that no lock file is created in a foreign folder.
                lock = WriterLock(self.path, lock_timeout_s)
                opened.callback(lock.release)
                self._writer = Writer(self.path, self._catalog, lock, settings, self._current)
            self._current()
            opened.pop_all()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
        dim: int | None = None,
        space: str | None = None,
        info: Mapping[str, str] | None = None,
        lock_timeout_s: float = 0.1,
        settings: IndexSettings = _DEFAULTS,
    ) -> "Index":
        """Create an empty index in a new or empty directory, and open it for writing.

        Args:
            path: the directory; created with mode 0700 if it is missing.
            encoder: encodes documents and queries; its dim and space become the index's.
            dim: without an encoder, the dimension of your own vectors, 1 to 8192.
            space: without an encoder, a name for the space of your vectors.
            info: named texts that the index keeps, such as where the bundle is.
            lock_timeout_s: how long to wait for another writer, in seconds.
            settings: when to seal, and which approximate search to build.

        Raises:
            IndexExistsError: an index or other files are there.
            InputError: no usable dim, or an encoder that is not compared by cosine.
            StorageError: the file system refused.
        """
        allowed_backends(settings)
        target = Path(path).absolute()
        create_index(target, encoder, dim, space, info, lock_timeout_s=lock_timeout_s)
        return cls(
            target, encoder=encoder, writable=True, lock_timeout_s=lock_timeout_s, settings=settings
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
        mode: Literal["r", "rw", "a"] = "r",
        dim: int | None = None,
        space: str | None = None,
        info: Mapping[str, str] | None = None,
        lock_timeout_s: float = 0.1,
        settings: IndexSettings = _DEFAULTS,
    ) -> "Index":
        """Open an index, or with mode "a" create it first if nothing is there.

        Args:
            path: its directory.
            encoder: encodes documents and queries; must be of the index's space.
            mode: "r" sees one generation until refresh(); "rw" is the one writer; "a" is "rw" that
                creates the index in a missing or empty directory.
            dim: mode "a" only, and so are space and info; see create. An index that is there must
                have this dim and space, and keeps its own info.
            space: see dim.
            info: see dim.
            lock_timeout_s: how long to wait for another writer, in seconds.
            settings: when to seal, and which approximate search to build.

        Raises:
            IndexNotFoundError, IndexCorruptError, IndexVersionError: it cannot be opened.
            IndexExistsError: mode "a", and something that is no index is there.
            IndexLockedError: mode "rw" or "a", and another writer has it open.
            SpaceMismatchError: the encoder's vectors do not belong in this index.
            InputError: an argument cannot be used.
            StorageError: the file system refused.
        """
        if mode not in ("r", "rw", "a"):
            raise InputError(f"mode: expected 'r', 'rw' or 'a', got {mode!r}")
        if mode != "a" and (dim, space, info) != (None, None, None):
            raise InputError(f"dim, space, info: expected only with mode 'a', got mode {mode!r}")
        allowed_backends(settings)
        target = Path(path).absolute()
        if mode == "a":
            create_if_missing(target, encoder, dim, space, info, lock_timeout_s, settings)
        return cls(
            target,
            encoder=encoder,
            writable=mode != "r",
            dim=dim,
            space=space,
            lock_timeout_s=lock_timeout_s,
            settings=settings,
        )

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

    def upsert(
        self,
        keys: Sequence[str],
        *,
        documents: Sequence[str] | None = None,
        vectors: ArrayLike | None = None,
        metadatas: Sequence[Mapping[str, Any] | None] | None = None,
        delete: Iterable[str] = (),
        notes: Mapping[str, str | None] | None = None,
    ) -> None:
        """Insert or replace documents in one durable commit, all of them or none.

        Args:
            keys: n texts of 1 to 1024 characters; if a key occurs twice, the last entry wins.
            documents: n texts, or None.
            vectors: (n, dim) vectors of any length but zero; None encodes the documents.
            metadatas: n dicts of JSON values (or None each), or None.
            delete: keys to delete in the same commit, unless they are in `keys`.
            notes: named texts to write in the same commit, None to remove one; see notes().

        Raises:
            InputError: an argument cannot be used; nothing was written.
            IndexReadOnlyError: opened with mode "r", or closed.
            StorageError: the file system refused, and nothing was committed; or, as the message
                then says, everything was, but a power cut could still undo it.
        """
        writer = self._require_writer()
        batch = make_batch(keys, documents, vectors, metadatas, dim=self.dim, encoder=self._encoder)
        gone, noted = check_keys(delete, what="delete"), check_notes(notes or {})
        if batch.keys or gone or noted:
            writer.upsert(batch, gone, noted)

    def delete(self, keys: str | Iterable[str]) -> int:
        """Delete documents in one durable commit; returns how many of the keys existed.

        Raises:
            InputError, IndexReadOnlyError, StorageError: see upsert.
        """
        writer = self._require_writer()
        wanted = list(dict.fromkeys(check_keys([keys] if isinstance(keys, str) else keys)))
        return writer.delete(wanted) if wanted else 0

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
        return isinstance(key, str) and self.get(key)[0] is not None

    def __len__(self) -> int:
        return self._current().documents

    def notes(self) -> dict[str, str]:
        """The named texts that upsert() wrote, as of the newest generation."""
        with self._catalog.reading() as connection:
            return read_notes(connection)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with `prefix`, in the order of their last write."""
        return iter(self._at_current(lambda snapshot: keys_of(prefix, snapshot, self._catalog)))

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
        condition = None if where is None else compile_where(where)
        return read_batches(self._current(), self._catalog, condition, check_k(size, what="size"))

    def search(
        self,
        query: str | ArrayLike,
        k: int = 10,
        *,
        where: Mapping[str, Any] | None = None,
        mode: SearchMode = "dense",
        exact: bool = False,
        exclude: Iterable[str] = (),
        min_score: float | None = None,
        distinct: str | None = None,
    ) -> list[Hit]:
        """Find the k best documents, best first, ties in the order of writing.

        Args:
            query: a text, or a (dim,) vector.
            k: at least 1; fewer hits only if fewer documents match or reach min_score.
            where: a filter on metadata; see docs/reference/index-format.md.
            mode: dense (cosine), keyword (BM25) or hybrid (both, fused by rank).
            exact: never search approximately: the hits are the true neighbors.
            exclude: keys to leave out.
            min_score: leave out hits below it; see Hit for what a score is in each mode.
            distinct: a metadata field; of hits that share its value only the best stays, such as
                the best passage of every file with distinct="source".

        Raises:
            InputError: an argument cannot be used.
            IndexReadOnlyError: closed.
            IndexCorruptError: a document that was found is damaged.
        """
        options = check_options(k, where, mode, exact, exclude, min_score, distinct)
        queries = check_query(query, self._encoder, dim=self.dim, mode=options.mode)
        return self._search(queries, options)[0]

    def search_many(
        self,
        queries: Sequence[str] | ArrayLike,
        k: int = 10,
        *,
        where: Mapping[str, Any] | None = None,
        mode: SearchMode = "dense",
        exact: bool = False,
        exclude: Iterable[str] = (),
        min_score: float | None = None,
        distinct: str | None = None,
    ) -> list[list[Hit]]:
        """Search for n texts, encoded in one call, or for (n, dim) vectors; see search."""
        options = check_options(k, where, mode, exact, exclude, min_score, distinct)
        prepared = check_queries(queries, self._encoder, dim=self.dim, mode=options.mode)
        return self._search(prepared, options)

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
        liked, disliked = listed_keys(positive), listed_keys(negative)
        query = direction_between(self.vectors(liked), self.vectors(disliked))
        hidden = [*liked, *disliked, *exclude]
        options = check_options(k, where, "dense", exact, hidden, min_score)
        return self._search(check_query(query, None, dim=self.dim, mode="dense"), options)[0]

    def _search(self, queries: Queries, options: SearchOptions) -> list[list[Hit]]:
        return self._at_current(
            lambda snapshot: search_snapshot(snapshot, self._catalog, queries, options)
        )

    def stats(self) -> IndexStats:
        """Counts, sizes and measurements of the generation that this object sees."""
        return gather_stats(self.path, self._catalog, self._current())

    def refresh(self) -> None:
        """See the newest generation; a writer always does."""
        with self._lock:
            self._snapshot = self._load(self._snapshot)

    def compact(self) -> None:
        """Rewrite everything as one segment, without deleted and replaced rows.

        Raises:
            IndexReadOnlyError: opened with mode "r", or closed.
            IndexCorruptError, StorageError: the index is as it was.
        """
        self._require_writer().compact()

    def verify(self, full: bool = True) -> VerifyReport:
        """Look for damage and list it; `full` reads every byte."""
        self._require_open()
        return verify_index(self.path, self._catalog, full=full)

    def backup(self, dst: str | os.PathLike[str]) -> None:
        """Copy the newest generation to a new directory and verify the copy.

        Raises:
            IndexExistsError: `dst` exists.
            IndexCorruptError: the copy is damaged, because this index is.
            StorageError: the file system refused.
        """
        self._require_open()
        target = Path(dst).absolute()
        copy_index(self.path, self._catalog, target)
        with Index(target) as copy:
            require_sound(copy.verify(), target)

    @staticmethod
    def repair(
        path: str | os.PathLike[str],
        dst: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
    ) -> RepairReport:
        """Save what can be saved of a damaged index to a new one; the damaged one is only read.

        Args:
            path: the damaged index; nothing should write to it meanwhile.
            dst: where the new one goes.
            encoder: encodes documents again whose vectors are damaged.

        Raises:
            IndexExistsError: `dst` holds an index or other files.
            IndexCorruptError: the catalog itself is damaged; only a backup helps.
            SpaceMismatchError: the encoder's vectors do not belong in this index.
            StorageError: the file system refused.
        """
        directory = Path(path).absolute()
        source = Catalog(directory, writable=False, busy_timeout_s=_DEFAULTS.busy_timeout_s)
        with contextlib.closing(source):
            if encoder is not None:
                check_fits(encoder, dim=source.dim, space=source.space)
            with Index.create(dst, dim=source.dim, space=source.space, info=source.info) as target:
                with contextlib.closing(read_damaged(directory, source, encoder)) as parts:
                    report = repair(parts, target._require_writer().upsert)
                target.compact()
        return report

    def close(self) -> None:
        """Release the files and the writer lock; a second call does nothing."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._catalog.close()

    def __enter__(self) -> "Index":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        self._catalog.require_open()
        if os.getpid() != self._process:
            raise SearchIndexError(f"{self.path} was opened before a fork; open it again here")

    def _require_writer(self) -> Writer:
        self._require_open()
        if self._writer is None:
            raise IndexReadOnlyError(f"{self.path} is open for reading; open it with mode='rw'")
        return self._writer

    def _load(self, previous: Snapshot | None) -> Snapshot:
        with self._catalog.reading() as connection:
            return load_snapshot(connection, self.path, self._catalog.dim, previous)

    def _current(self) -> Snapshot:
        self._require_open()
        with self._lock:
            if self._writer is not None or self._snapshot is None:
                self._snapshot = self._load(self._snapshot)
            return self._snapshot

    def _at_current(self, action: Callable[[Snapshot], T]) -> T:
        for _ in range(_ATTEMPTS):
            try:
                return action(self._current())
            except SnapshotPurgedError:
                self.refresh()
        raise SearchIndexError(f"{self.path}: the index is compacted faster than it can be read")
