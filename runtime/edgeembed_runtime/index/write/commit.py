"""The writer of an open index: commits upserts and deletes, then seals and merges where due."""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from edgeembed_runtime.errors import EdgeEmbedError, IndexCorruptError, SearchIndexError
from edgeembed_runtime.index.base.layout import SEGMENTS
from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.index.base.validation import Batch
from edgeembed_runtime.index.catalog.catalog import Catalog, meta_int
from edgeembed_runtime.index.catalog.documents import insert_documents, keys_at, mark_dead
from edgeembed_runtime.index.catalog.filter_sql import Condition
from edgeembed_runtime.index.catalog.fts import has_fts5
from edgeembed_runtime.index.catalog.lock import WriterLock
from edgeembed_runtime.index.catalog.notes import write_notes
from edgeembed_runtime.index.segments.snapshot import Snapshot
from edgeembed_runtime.index.write.compaction import rewrite
from edgeembed_runtime.index.write.gc import collect
from edgeembed_runtime.index.write.merge_policy import Plan, maintenance_plan
from edgeembed_runtime.storage import storage_errors

_LOG = logging.getLogger(__name__)
_NO_NOTES: Mapping[str, str | None] = MappingProxyType({})


class Writer:
    """Holds the writer lock; a lock of its own lets one thread write while others search."""

    def __init__(
        self,
        directory: Path,
        catalog: Catalog,
        lock: WriterLock,
        settings: IndexSettings,
        current: Callable[[], Snapshot],
    ) -> None:
        """Take over an index, bring it up to date, and remove what a crashed writer left behind.

        Args:
            directory: of the index.
            catalog: open for writing.
            lock: held; released by close(), as is the catalog.
            settings: when to seal and how.
            current: returns the snapshot of the newest generation.

        Raises:
            SearchIndexError: this SQLite cannot keep the keyword table up to date.
            IndexCorruptError: the segment folder is missing or a link.
        """
        self._directory = directory
        self._catalog = catalog
        self._lock = lock
        self._settings = settings
        self._current = current
        self._one_at_a_time = threading.RLock()
        self._release_folder: Callable[[], object] = lambda: None
        folder = directory / SEGMENTS
        if folder.is_symlink() or not folder.is_dir():
            raise IndexCorruptError(f"{folder}: expected a folder; restore it from a backup")
        # Whoever comes after us at these paths must not lose a file to us, or write beside us.
        catalog.watch(lock.path)
        catalog.watch(folder)
        self._hold_open(folder)
        if catalog.has_fts and not has_fts5():
            raise SearchIndexError(
                f"{catalog.path}: writing needs SQLite with FTS5, because this index has a keyword "
                f"table; this Python's SQLite lacks it: open with mode='r'"
            )
        if not catalog.is_current:
            _LOG.info("%s: bringing its tables up to date", catalog.path)
            catalog.renew()
        collect(directory, catalog)

    def upsert(
        self, batch: Batch, delete: Sequence[str] = (), notes: Mapping[str, str | None] = _NO_NOTES
    ) -> None:
        """Commit a batch, deletions and notes at once; durable when this returns.

        Raises:
            StorageError, SearchIndexError: nothing was committed.
        """
        with self._one_at_a_time:
            with self._catalog.writing() as (connection, generation):
                mark_dead(connection, delete, generation)
                insert_documents(connection, batch, generation, fts=self._catalog.has_fts)
                write_notes(connection, notes)
            self._maintain()

    def delete(self, keys: Sequence[str] | None, condition: Condition) -> int:
        """Commit deletions of the documents with some keys, or any, that match; returns how many.

        Raises:
            StorageError, SearchIndexError: nothing was committed.
        """
        with self._one_at_a_time:
            with self._catalog.writing() as (connection, generation):
                if keys is None or condition.tests:
                    matching = keys_at(connection, generation - 1, condition=condition)
                    named = None if keys is None else frozenset(keys)
                    keys = [key for key in matching if named is None or key in named]
                count = mark_dead(connection, keys, generation)
            self._maintain()
            return count

    def compact(self) -> None:
        """Rewrite everything as one segment, purge dead rows, and build an ANN file if worthwhile.

        Raises:
            StorageError: the file system refused; the index is as it was.
            IndexCorruptError: a segment is damaged; the index is as it was.
        """
        with self._one_at_a_time:
            plan = Plan(merge=self._current().segments, seal_tail=True, purge=True, build_ann=True)
            self._rewrite(plan)
            try:
                self._catalog.vacuum()
            except EdgeEmbedError as error:  # a reader is busy, or no room for the copy
                _LOG.warning("the catalog keeps its unused pages: %s", error)

    def close(self) -> None:
        """Close the catalog, then release the lock; waits for a write of another thread."""
        with self._one_at_a_time:
            self._catalog.close()
            self._lock.release()
            self._release_folder()

    def _hold_open(self, folder: Path) -> None:
        """Keep the folder's number in the file system from being given to another one."""
        if hasattr(os, "O_DIRECTORY"):  # Windows does not let go of a folder in use
            with storage_errors("open", folder):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            self._release_folder = weakref.finalize(self, os.close, descriptor)

    def _rewrite(self, plan: Plan) -> None:
        rewrite(self._directory, self._catalog, self._current(), plan, self._settings)

    def _maintain(self) -> None:
        """Seal and merge where due. A failure is only logged: the commit before it stands."""
        try:
            plan = self._due()
            if plan is not None:
                self._rewrite(plan)
        except (EdgeEmbedError, MemoryError) as error:
            _LOG.warning("sealing failed and is tried again after the next write: %s", error)

    def _due(self) -> Plan | None:
        with self._catalog.reading() as connection:
            dead = meta_int(connection, "dead")
            (tail,) = connection.execute("SELECT count(*) FROM tail").fetchone()
        # Counts are cheap; load a snapshot only if there may be something to do.
        if tail < self._settings.seal_rows and dead * 8 <= self._settings.seal_rows:
            return None
        return maintenance_plan(self._current(), dead, self._settings)
