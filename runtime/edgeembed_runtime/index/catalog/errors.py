"""Translates SQLite errors to edgeembed errors, for all of the index."""

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path

from edgeembed_runtime._internal.sqlite_files import UnsafeDatabaseError
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    IndexCorruptError,
    IndexLockedError,
    IndexReplacedError,
    InputError,
    SearchIndexError,
    StorageError,
)

REPLACED = (
    "{} was moved, removed or replaced since it was opened here; whatever is there now was left as "
    "it is: open the index again"
)
_CORRUPT = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")
_STORAGE = (
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
    "SQLITE_PERM",
    "SQLITE_AUTH",
    "SQLITE_NOLFS",
)
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Generator[None, None, None]:
    """Turn a sqlite3.Error inside the block into a typed error that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged name in its own message
        raise IndexCorruptError(f"{path} is damaged; restore it from a backup") from error


def translate(error: sqlite3.Error, path: Path) -> EdgeEmbedError:
    """Choose the type by SQLite's result code; the message quotes SQLite."""
    code: str = getattr(error, "sqlite_errorname", "")
    words = str(error)
    if isinstance(error, UnsafeDatabaseError):
        return IndexCorruptError(words)
    if code == "SQLITE_READONLY_DBMOVED":
        return IndexReplacedError(REPLACED.format(path.parent))
    if code.startswith(_CORRUPT) or "malformed" in words or "decode to UTF-8" in words:
        return IndexCorruptError(
            f"{path} is damaged or is not an edgeembed index ({words}); restore it from a backup"
        )
    if code.startswith(_STORAGE):
        return StorageError(f"{path}: the file system refused ({words}); nothing was committed")
    if code.startswith(_BUSY):
        return IndexLockedError(f"{path} is in use by another process ({words}); try again")
    if code == "SQLITE_TOOBIG":
        return InputError(f"{path}: a text is larger than SQLite can store ({words})")
    return SearchIndexError(f"{path}: {words}")
