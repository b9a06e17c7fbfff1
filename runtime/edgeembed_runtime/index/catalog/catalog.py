"""The SQLite file: one connection, short transactions, and the only commit point of an index.

Every change of an index becomes durable when `Catalog.writing` ends, and not before.
"""

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import cast

from edgeembed_runtime.errors import (
    IndexCorruptError,
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexVersionError,
    SearchIndexError,
    StorageError,
)
from edgeembed_runtime.index.base.layout import CATALOG, require_regular
from edgeembed_runtime.index.base.opening import MAX_DIM
from edgeembed_runtime.index.catalog.errors import sqlite_errors
from edgeembed_runtime.index.catalog.notes import NO_NOTE
from edgeembed_runtime.index.catalog.rows import count_of
from edgeembed_runtime.index.catalog.schema import (
    FORMAT_VERSION,
    check_identity,
    check_schema,
    format_of,
    renew_schema,
)
from edgeembed_runtime.index.terms.terms import TERMS_VERSION

_LOG = logging.getLogger(__name__)
_PRAGMAS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    # A damaged page must be an error, not a signal.
    "PRAGMA mmap_size = 0",
    # EXTRA also syncs the folder after the journal is removed. Without it a power cut could undo
    # the last commit after the files that it dropped were removed.
    "PRAGMA synchronous = EXTRA",
)


class SnapshotPurgedError(SearchIndexError):
    """Rows of the requested generation are gone; read the current one instead."""


class Catalog:
    """An open catalog. Threads share its connection, one transaction at a time."""

    dim: int
    space: str
    has_fts: bool
    info: dict[str, str]
    is_current: bool
    """Whether format and keyword table are those that this edgeembed writes."""

    def __init__(self, directory: Path, *, writable: bool, busy_timeout_s: float) -> None:
        """Open the catalog in `directory`; a crashed writer's journal is rolled back.

        Raises:
            IndexNotFoundError: there is none.
            IndexCorruptError: it is damaged, or not ours.
            IndexVersionError: made by a newer edgeembed.
        """
        self.path: Path = directory / CATALOG
        self._lock = threading.RLock()
        self._closed = False
        self._has_warned = False
        if not self.path.exists() and not self.path.is_symlink():
            raise IndexNotFoundError(f"{directory} is not an edgeembed index: {CATALOG} is missing")
        require_regular(self.path)
        with sqlite_errors(self.path):
            self._connection = _connect(self.path, writable=writable, timeout_s=busy_timeout_s)
            try:
                check_identity(self._connection, self.path)
                check_schema(self._connection, self.path)
                self.dim, self.space, self.has_fts, self.info = self._identity()
                self.is_current = self._is_current()
                if writable:
                    self._connection.execute("PRAGMA journal_mode = DELETE")
            except BaseException:
                self._connection.close()
                raise

    def _identity(self) -> tuple[int, str, bool, dict[str, str]]:
        meta = dict(self._connection.execute(f"SELECT k, v FROM meta WHERE {NO_NOTE}"))
        dim, space, info = meta.get("dim"), meta.get("space"), _parse_info(meta.get("info"))
        sound = (
            isinstance(dim, int)
            and 1 <= dim <= MAX_DIM
            and isinstance(space, str)
            and meta.get("metric") == "cosine"
            and all(isinstance(meta.get(k), int) for k in ("gen", "floor", "epoch", "fts5", "dead"))
        )
        if not sound or info is None:
            raise IndexCorruptError(f"{self.path}: the catalog's meta table is damaged")
        return int(meta["dim"]), str(meta["space"]), bool(meta["fts5"]), info

    def _is_current(self) -> bool:
        found = self._connection.execute("SELECT v FROM meta WHERE k = 'terms'").fetchone()
        terms = found[0] if found and isinstance(found[0], int) else 0
        if terms > TERMS_VERSION:
            raise IndexVersionError(
                f"{self.path} has a keyword table made by a newer edgeembed: expected terms of "
                f"version {TERMS_VERSION}, found {terms}; upgrade edgeembed"
            )
        return format_of(self._connection) == FORMAT_VERSION and terms == TERMS_VERSION

    def warn_if_outdated(self) -> None:
        """Log, once, that the keyword table is an older edgeembed's."""
        if not self.is_current and not self._has_warned:
            self._has_warned = True
            _LOG.warning(
                "%s: its keyword table was made by an older edgeembed, and finds less; opening the "
                "index for writing renews it",
                self.path,
            )

    def renew(self) -> None:
        """Bring an index of an older edgeembed up to date, in one commit; see renew_schema.

        Raises:
            SearchIndexError, StorageError: SQLite failed, and the index is as it was.
        """
        with self.writing() as (connection, _):
            renew_schema(connection, fts=self.has_fts)
        self.is_current = True

    @contextlib.contextmanager
    def reading(self, generation: int | None = None) -> Generator[sqlite3.Connection, None, None]:
        """A read transaction: everything inside sees the same commit.

        Args:
            generation: the one whose rows the caller will read; None for the current one.

        Raises:
            SnapshotPurgedError: rows that were visible at `generation` have been purged since.
            SearchIndexError: SQLite failed; see sqlite_errors.
        """
        with self._lock, sqlite_errors(self.path), self._transaction("BEGIN"):
            if generation is not None and meta_int(self._connection, "floor") > generation:
                raise SnapshotPurgedError(f"{self.path}: generation {generation} was purged")
            yield self._connection

    @contextlib.contextmanager
    def writing(self) -> Generator[tuple[sqlite3.Connection, int], None, None]:
        """A write transaction; yields the connection and the generation that this commit makes.

        Either everything inside becomes durable when the block ends, or nothing does.

        Raises:
            SearchIndexError, StorageError: SQLite failed, nothing was committed.
            StorageError: everything was committed, but, as the message says, may not be durable.
        """
        with self._lock, sqlite_errors(self.path):
            generation = 0
            try:
                with self._transaction("BEGIN IMMEDIATE"):
                    generation = meta_int(self._connection, "gen") + 1
                    yield self._connection, generation
                    set_meta(self._connection, "gen", generation)
            except sqlite3.Error as error:
                if generation and self._has_reached(generation):
                    raise StorageError(
                        f"{self.path}: the file system refused ({error}) after the change was in "
                        f"place: a power cut could still undo it; write again to be sure"
                    ) from error
                raise

    def _has_reached(self, generation: int) -> bool:
        """Whether a commit that failed has happened nevertheless: its last step is only a sync."""
        # The first read after a failed write can repeat the error of that write, which FTS5 kept.
        for _ in range(2):
            with contextlib.suppress(sqlite3.Error):
                return meta_int(self._connection, "gen") >= generation
        return False

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Generator[None, None, None]:
        self.require_open()
        if self._connection.in_transaction:  # Ctrl-C between two statements can leave one behind
            self._connection.execute("ROLLBACK")
        try:
            self._connection.execute(begin)
            yield
            self.commit()
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def commit(self) -> None:
        """End the current transaction (a method of its own, so that tests can make it fail)."""
        self._connection.execute("COMMIT")

    def forget(self, names: Sequence[str]) -> None:
        """Delete removed files from the gc table; no new generation, because no reader sees it.

        Raises:
            SearchIndexError, StorageError: SQLite failed, nothing was committed.
        """
        with self._lock, sqlite_errors(self.path), self._transaction("BEGIN IMMEDIATE"):
            self._connection.executemany("DELETE FROM gc WHERE name = ?", ((n,) for n in names))

    def vacuum(self) -> None:
        """Return unused pages to the file system.

        Raises:
            SearchIndexError, StorageError: SQLite refused; the catalog is unchanged.
        """
        with self._lock, sqlite_errors(self.path):
            self.require_open()
            self._connection.execute("VACUUM")

    def copy_to(self, target: Path) -> None:
        """Copy a consistent state of the catalog to a new database file.

        Raises:
            SearchIndexError, StorageError: SQLite failed.
        """
        with self._lock, sqlite_errors(self.path):
            self.require_open()
            with contextlib.closing(sqlite3.connect(target)) as connection:
                self._connection.backup(connection)

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def require_open(self) -> None:
        """Make sure that the catalog is open.

        Raises:
            IndexReadOnlyError: it was closed.
        """
        if self._closed:
            raise IndexReadOnlyError(f"the index at {self.path.parent} is closed; open it again")


def meta_int(connection: sqlite3.Connection, name: str) -> int:
    """Read a number from the meta table (gen, floor, epoch, dead).

    Raises:
        IndexCorruptError: it is missing, or no number that can be.
    """
    return count_of(connection.execute("SELECT v FROM meta WHERE k = ?", (name,)).fetchone(), name)


def set_meta(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Write a number to the meta table."""
    connection.execute("UPDATE meta SET v = ? WHERE k = ?", (value, name))


def _connect(path: Path, *, writable: bool, timeout_s: float) -> sqlite3.Connection:
    # Readers open for writing too, so that they can roll back the journal of a crashed writer.
    try:
        return _open(path, "mode=rw", writable=writable, timeout_s=timeout_s)
    except sqlite3.OperationalError as error:
        code: str = getattr(error, "sqlite_errorname", "")
        unwritable = code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR_LOCK"))
        if writable or not unwritable or path.with_name(f"{path.name}-journal").exists():
            raise
    # Read-only media: nothing can change, so no locks are needed.
    return _open(path, "mode=ro&immutable=1", writable=False, timeout_s=timeout_s)


def _open(path: Path, mode: str, *, writable: bool, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if not writable:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _parse_info(text: object) -> dict[str, str] | None:
    """The texts by name that the index was created with; None if they are damaged."""
    try:
        info = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(info, dict) or not all(isinstance(value, str) for value in info.values()):
        return None
    return cast(dict[str, str], info)
