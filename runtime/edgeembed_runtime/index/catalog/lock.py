"""The writer lock: one writer at a time, freed by the operating system when its holder dies."""

import contextlib
import sqlite3
from pathlib import Path

from edgeembed_runtime._internal.forks import follow_forks, never_delete
from edgeembed_runtime._internal.sqlite_files import UnsafeDatabaseError, open_database
from edgeembed_runtime.errors import IndexLockedError, StorageError
from edgeembed_runtime.index.base.layout import LOCK, require_regular
from edgeembed_runtime.index.catalog.errors import translate


class WriterLock:
    """Holds `writer.lock` until release().

    The file is an empty SQLite database under BEGIN EXCLUSIVE, because SQLite locks correctly on
    every system, within and between processes. It is never written to, and never deleted: two
    writers could then lock two different files of the same name.
    """

    def __init__(self, directory: Path, timeout_s: float) -> None:
        """Take the lock, waiting at most `timeout_s` seconds.

        Raises:
            IndexLockedError: another writer holds it.
            IndexCorruptError: the lock file, or a file of SQLite beside it, is not ours.
            StorageError: the file system refused.
        """
        path = self.path = directory / LOCK
        if path.is_symlink() or path.exists():
            require_regular(path)
        try:
            self._connection = open_database(path, mode="rwc", timeout_s=max(0.0, timeout_s))
        except UnsafeDatabaseError as error:
            raise translate(error, path) from error
        except sqlite3.Error as error:
            raise StorageError(f"could not open {path} for writing: {error}") from error
        # To close it in a forked child would touch what other threads held at the fork.
        follow_forks(self, in_child=WriterLock._leave_to_parent)
        try:
            # No journal beside it: SQLite would remove one by name when the lock is released, even
            # if the folder has become another writer's.
            self._connection.execute("PRAGMA journal_mode = MEMORY")
            self._connection.execute("BEGIN EXCLUSIVE")
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise _lock_error(error, path) from error
            raise

    def _leave_to_parent(self) -> None:
        never_delete(self._connection)

    def release(self) -> None:
        """Free the lock; a second call does nothing."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()


def _lock_error(error: sqlite3.Error, path: Path) -> Exception:
    translated = translate(error, path)
    if isinstance(translated, IndexLockedError):
        return IndexLockedError(
            f"{path.parent} is open for writing elsewhere; close that writer, wait longer "
            f"(lock_timeout_s), or open with mode='r'"
        )
    return translated
