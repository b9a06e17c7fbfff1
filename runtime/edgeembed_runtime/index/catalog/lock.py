"""The writer lock: one writer at a time, freed by the operating system when its holder dies."""

import contextlib
import sqlite3
from pathlib import Path

from edgeembed_runtime.errors import IndexCorruptError, IndexLockedError, StorageError
from edgeembed_runtime.index.base.layout import LOCK
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
            IndexCorruptError: the lock file is a link or a folder.
            StorageError: the file system refused.
        """
        path = directory / LOCK
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise IndexCorruptError(f"{path}: expected a regular file, found a link or a folder")
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rwc",
                uri=True,
                timeout=max(0.0, timeout_s),
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise StorageError(f"could not open {path} for writing: {error}") from error
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise _lock_error(error, path) from error
            raise

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
