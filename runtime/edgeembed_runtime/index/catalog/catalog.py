"""The SQLite file: one connection, short transactions, and the only commit point of an index.

Every change of an index becomes durable when `Catalog.writing` ends, and not before.
"""

import contextlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import cast

from edgeembed_runtime._internal.forks import follow_forks, never_delete
from edgeembed_runtime._internal.sqlite_files import (
    Mode,
    check_side_files,
    has_side_files,
    open_database,
    refuses_writing,
)
from edgeembed_runtime.errors import (
    IndexCorruptError,
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexReplacedError,
    IndexVersionError,
    SearchIndexError,
    StorageError,
)
from edgeembed_runtime.index.base.layout import CATALOG, require_regular
from edgeembed_runtime.index.base.opening import MAX_DIM
from edgeembed_runtime.index.catalog.errors import REPLACED, sqlite_errors
from edgeembed_runtime.index.catalog.known_files import KnownFile
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
from edgeembed_runtime.storage import storage_errors

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


# How long a fork waits for transactions of other threads to end.
_FORK_WAIT_S = 5.0


# Indexes that were in use when this process was forked: SQLite's view of its locks is wrong here.
_inherited_a_transaction: list[Path] = []


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
        self._process = os.getpid()
        self._closed = False
        self._is_writing = False
        self._given_up = False
        self._has_warned = False
        if not self.path.exists() and not self.path.is_symlink():
            raise IndexNotFoundError(f"{directory} is not an edgeembed index: {CATALOG} is missing")
        require_regular(self.path)
        if _inherited_a_transaction:
            raise SearchIndexError(
                f"{directory}: this process was forked while {_inherited_a_transaction[0]} was in "
                f"use, and cannot use an index; fork at another time, or spawn the process"
            )
        self._real_path = Path(os.path.realpath(self.path))
        with storage_errors("read", self.path):
            self._known = [KnownFile.at(self.path)]
        with sqlite_errors(self.path):
            self._connection = _connect(self.path, writable=writable, timeout_s=busy_timeout_s)
            try:
                check_identity(self._connection, self.path)
                _require_no_wal(self._connection, self.path)
                check_schema(self._connection, self.path)
                self.dim, self.space, self.has_fts, self.info = self._identity()
                self.is_current = self._is_current()
                self.require_same_files()
            except BaseException:
                self._connection.close()
                raise
        self._quiet: set[int] = set()  # threads that fork while no transaction is under way
        follow_forks(
            self,
            before=Catalog._await_quiet,
            in_parent=Catalog._go_on,
            in_child=Catalog._leave_to_parent,
        )

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
        with self._using(), self._transaction("BEGIN"):
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
        with self._using(to_write=True):
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
    def _using(self, *, to_write: bool = False) -> Generator[None, None, None]:
        """Every use of the connection: by one thread at a time, and harmless to what is not ours.

        A read from a catalog that was replaced is as good as before. But SQLite looks for the
        journal of a crash by name, plays it back and removes it; so does the end of a write.
        """
        self.require_open()  # before the lock, which a fork may have left locked
        with self._lock, sqlite_errors(self.path):
            self.require_open()
            if to_write or has_side_files(self._real_path):
                self.require_same_files()
                check_side_files(self._real_path)
            yield

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Generator[None, None, None]:
        if self._connection.in_transaction:  # Ctrl-C between two statements can leave one behind
            self._connection.execute("ROLLBACK")
        try:
            self._is_writing = begin != "BEGIN"
            self._connection.execute(begin)
            yield
            self.require_open()
            if self._is_writing:
                self.require_same_files()
            self.commit()
            self._is_writing = False
        except BaseException:
            if not self._is_foreign() and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._is_writing = False
            raise

    def _is_foreign(self) -> bool:
        """Whether to end a transaction here would hurt another process or another index.

        SQLite removes its journal by name, at the end of a transaction and when the connection is
        closed. If another index has come to that name meanwhile, the connection is never used
        again. Its own journal stays beside its own catalog, and the next to open that rolls back.
        """
        if self.is_inherited:
            return True
        if self._is_writing and not self._given_up and not self._are_there():
            self._given_up = True
            never_delete(self._connection)
        return self._given_up

    def watch(self, path: Path) -> None:
        """Check from now on that a file or folder that is there stays the same, too.

        Raises:
            StorageError: nothing is there.
        """
        with storage_errors("read", path):
            self._known.append(KnownFile.at(path))

    def _are_there(self) -> bool:
        return all(file.is_there() for file in self._known)

    def require_same_files(self) -> None:
        """Make sure that the paths of the index still lead to its own files.

        Raises:
            IndexReplacedError: they lead to another index, or nowhere.
        """
        if self._given_up or not self._are_there():
            raise IndexReplacedError(REPLACED.format(self.path.parent))

    def commit(self) -> None:
        """End the current transaction (a method of its own, so that tests can make it fail)."""
        self._connection.execute("COMMIT")

    def forget(self, names: Sequence[str]) -> None:
        """Delete removed files from the gc table; no new generation, because no reader sees it.

        Raises:
            SearchIndexError, StorageError: SQLite failed, nothing was committed.
        """
        with self._using(to_write=True), self._transaction("BEGIN IMMEDIATE"):
            self._connection.executemany("DELETE FROM gc WHERE name = ?", ((n,) for n in names))

    def vacuum(self) -> None:
        """Return unused pages to the file system.

        Raises:
            SearchIndexError, StorageError: SQLite refused; the catalog is unchanged.
        """
        with self._using(to_write=True):
            self._connection.execute("VACUUM")

    def copy_to(self, target: Path) -> None:
        """Copy a consistent state of the catalog to a new database file.

        Raises:
            SearchIndexError, StorageError: SQLite failed.
        """
        with self._using():
            copy = open_database(target, mode="rwc", timeout_s=0)
            with contextlib.closing(copy):
                self._connection.backup(copy)

    def close(self) -> None:
        """Close the connection; a second call, or one in a forked child, does nothing."""
        if self.is_inherited:
            self._closed = True
            return
        with self._lock:
            self._closed = True
            if not self._is_foreign():
                self._connection.close()

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a forked child of the one that opened the catalog."""
        return os.getpid() != self._process

    def require_open(self) -> None:
        """Make sure that the catalog is open in this process.

        Raises:
            IndexReadOnlyError: it was closed.
            SearchIndexError: it was opened before a fork.
        """
        if self._closed:
            raise IndexReadOnlyError(f"the index at {self.path.parent} is closed; open it again")
        if self.is_inherited:
            raise SearchIndexError(
                f"{self.path.parent} was opened before a fork; open it again here"
            )

    def _await_quiet(self) -> None:
        """Before a fork: let a transaction end, so that the child inherits no half-held lock.

        Not without a limit: the thread may be waiting for the one that forks.
        """
        if self._lock.acquire(timeout=_FORK_WAIT_S):
            self._quiet.add(threading.get_ident())

    def _go_on(self) -> None:
        if threading.get_ident() in self._quiet:
            self._quiet.remove(threading.get_ident())
            self._lock.release()

    def _leave_to_parent(self) -> None:
        # To close the connection would roll back what the parent is writing.
        never_delete(self._connection)
        quiet = threading.get_ident() in self._quiet
        if not self._closed and not (quiet and not self._connection.in_transaction):
            _inherited_a_transaction.append(self.path.parent)
        self._quiet.clear()
        self._lock = threading.RLock()


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
        return _open(path, "rw", writable=writable, timeout_s=timeout_s)
    except sqlite3.OperationalError as error:
        # Some network file systems have no locks.
        without_locks = getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR_LOCK")
        immutable = without_locks or refuses_writing(error, path)
        if writable or not immutable or path.with_name(f"{path.name}-journal").exists():
            raise
    # Read-only media: nothing can change, so no locks are needed.
    return _open(path, "ro&immutable=1", writable=False, timeout_s=timeout_s)


def _open(path: Path, mode: Mode, *, writable: bool, timeout_s: float) -> sqlite3.Connection:
    connection = open_database(path, mode=mode, timeout_s=timeout_s, writes=writable)
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


def _require_no_wal(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA journal_mode").fetchone()
    if found == "wal":
        raise IndexCorruptError(
            f"{path}: expected a database with a rollback journal, found one with a write-ahead "
            f"log, which another program chose; undo it there with PRAGMA journal_mode = DELETE"
        )


def _parse_info(text: object) -> dict[str, str] | None:
    """The texts by name that the index was created with; None if they are damaged."""
    try:
        info = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(info, dict) or not all(isinstance(value, str) for value in info.values()):
        return None
    return cast(dict[str, str], info)
