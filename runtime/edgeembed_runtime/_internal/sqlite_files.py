"""Opens SQLite files that anybody may have prepared.

SQLite acts on the files beside a database before it reads the database itself: it plays a journal
back, deletes the "super-journal" that the journal names, wherever that is, and opens whatever has
the name of a log. So these files are looked at first. SQLite's own code decides what a journal
means (`readSuperJournal`, `readJournalHdr` and `pager_playback` in its pager.c); what is refused
here is only what edgeembed's transactions never write.

The database itself is never opened here: closing a file drops all locks that SQLite holds on it.
"""

import os
import sqlite3
import stat
import struct
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from edgeembed_runtime._internal.plain_files import NotPlainFileError, open_plain_file

_MAGIC = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_HEADER = struct.Struct(">8sIIIII")
_TRAILER = struct.Struct(">II8s")
# Longer names are not read by SQLite on any system.
_MAX_NAME = 1 << 17
_MAX_UNIT = 1 << 16
# Some sandboxes refuse the system call behind it, which then finds nothing.
_CAN_ASK = os.access in os.supports_follow_symlinks and os.access(
    os.sep, os.F_OK, follow_symlinks=False
)
_ADVICE = "move it out of the folder, or restore the folder from a backup you trust"


Mode: TypeAlias = Literal["rw", "rwc", "ro&immutable=1"]


class UnsafeDatabaseError(sqlite3.DatabaseError):
    """A database, or a file beside it, is not what edgeembed writes; SQLite has not seen it."""


def open_database(
    path: Path,
    *,
    mode: Mode,
    timeout_s: float,
    wal: bool = False,
    writes: bool | None = None,
    isolation_level: Literal["DEFERRED"] | None = None,
) -> sqlite3.Connection:
    """Connect to a database after a look at the files beside it.

    Args:
        path: of the database; links are followed.
        mode: of SQLite; with rwc the file may be missing.
        timeout_s: how long statements wait for a lock.
        wal: whether the database may keep a write-ahead log.
        writes: whether anything will be written; None: with the mode rwc.
        isolation_level: None for a connection whose transactions are explicit.

    Raises:
        UnsafeDatabaseError: see check_side_files; or the database is a folder or a special file, or
            is to be written and has another name, whose owner would find it changed.
        sqlite3.Error: SQLite failed.
    """
    real = Path(os.path.realpath(path))  # as SQLite does, to find the files beside it
    try:
        found = real.stat()
    except OSError:
        found = None  # missing, or not for us: SQLite says so
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise UnsafeDatabaseError(f"{path}: expected a regular file, found a special one")
    if found is not None and found.st_nlink > 1 and (mode == "rwc" if writes is None else writes):
        raise UnsafeDatabaseError(
            f"{path}: expected a file of its own, found one that has another name elsewhere (a hard"
            f" link), where writing would change it too; put a copy of it in its place"
        )
    if mode != "ro&immutable=1":  # which looks at no other file
        check_side_files(real, wal=wal)
    return sqlite3.connect(
        os.fspath(real) if mode == "rwc" else f"{real.as_uri()}?mode={mode}",
        uri=mode != "rwc",
        timeout=timeout_s,
        isolation_level=isolation_level,
        check_same_thread=False,
    )


def refuses_writing(error: sqlite3.Error, path: Path) -> bool:
    """Whether a database could not be opened because nobody may write there.

    Only then may it be opened as immutable, which takes no locks and reads no log. SQLite also says
    that it cannot open a file when no more files can be opened.
    """
    code: str = getattr(error, "sqlite_errorname", "")
    if code.startswith("SQLITE_CANTOPEN"):
        return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
    return code.startswith("SQLITE_READONLY") and code != "SQLITE_READONLY_DBMOVED"


def has_side_files(database: Path) -> bool:
    """Whether there is a journal or log that SQLite would look at; takes two microseconds."""
    if not _CAN_ASK:
        return True
    name = os.fspath(database)
    return os.access(f"{name}-journal", os.F_OK, follow_symlinks=False) or os.access(
        f"{name}-wal", os.F_OK, follow_symlinks=False
    )


def check_side_files(database: Path, *, wal: bool = False) -> None:
    """Make sure that SQLite may act on the files beside a database; takes some microseconds.

    Args:
        database: without links, as SQLite sees it.
        wal: whether it may keep a write-ahead log.

    Raises:
        UnsafeDatabaseError: a file beside it is a link or a special file, or has another name; its
            journal names another file, or a size that the database never had, or would be played
            back into a file with another name; or it has a log that it should not have.
        sqlite3.OperationalError: its journal cannot be read.
    """
    name = os.fspath(database)
    for suffix in ("-journal", "-wal", "-shm"):
        try:
            found = os.lstat(name + suffix)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise _unreadable(name + suffix, error) from error
        if not stat.S_ISREG(found.st_mode):
            raise UnsafeDatabaseError(
                f"{name}{suffix}: expected a regular file, found a link or a special file; "
                f"{_ADVICE}"
            )
        if found.st_nlink > 1:
            raise UnsafeDatabaseError(
                f"{name}{suffix}: expected a file of its own, found one that has another name "
                f"elsewhere (a hard link); {_ADVICE}"
            )
        if not found.st_size:  # SQLite takes it for missing
            continue
        if suffix == "-journal":
            _check_journal(database, Path(name + suffix))
        elif not wal:
            raise UnsafeDatabaseError(
                f"{name}{suffix}: expected no write-ahead log, which edgeembed never writes here; "
                f"if another program did, let it write the log back (PRAGMA journal_mode = DELETE);"
                f" otherwise {_ADVICE}"
            )


def _check_journal(database: Path, journal: Path) -> None:
    try:
        if database.stat().st_nlink > 1:
            raise UnsafeDatabaseError(
                f"{journal}: would be played back into {database.name}, which has another name "
                f"elsewhere (a hard link); {_ADVICE}"
            )
        with open_plain_file(journal) as file:
            size = os.fstat(file.fileno()).st_size
            if _names_a_file(file, size):
                raise UnsafeDatabaseError(
                    f"{journal}: names another file for SQLite to delete, which edgeembed's "
                    f"transactions never do: this folder was prepared to do harm, or another "
                    f"program wrote to it; {_ADVICE}"
                )
            header = _header(file)
            if header is not None and not _fits(header, size, database.stat().st_size):
                # A live transaction may have ended since; the one in its place has another nonce.
                with open_plain_file(journal) as again:
                    if _header(again) == header:
                        raise UnsafeDatabaseError(
                            f"{journal}: does not belong to {database.name}, which never had the "
                            f"size in it; {_ADVICE}"
                        )
    except FileNotFoundError:  # its transaction has ended
        return
    except NotPlainFileError as error:
        raise UnsafeDatabaseError(
            f"{journal}: expected a regular file, found {error.found}; {_ADVICE}"
        ) from error
    except OSError as error:
        raise _unreadable(journal, error) from error


def _unreadable(path: Path | str, error: OSError) -> sqlite3.OperationalError:
    refused = sqlite3.OperationalError(f"cannot look at {path}: {error.strerror or error}")
    refused.sqlite_errorname = "SQLITE_CANTOPEN"
    return refused


def _names_a_file(file: BinaryIO, size: int) -> bool:
    """Whether a journal ends with the name of a super-journal: name, length, checksum, magic."""
    if size < _TRAILER.size:
        return False
    file.seek(size - _TRAILER.size)
    trailer = file.read(_TRAILER.size)
    if len(trailer) < _TRAILER.size:
        return False
    length, checksum, magic = _TRAILER.unpack(trailer)
    if magic != _MAGIC or not 0 < length <= min(size - _TRAILER.size, _MAX_NAME):
        return False
    file.seek(size - _TRAILER.size - length)
    name = file.read(length)
    # A sum of chars, which are signed on some machines only.
    unsigned = sum(name)
    signed = unsigned - 256 * sum(byte > 127 for byte in name)
    return checksum in (unsigned & 0xFFFFFFFF, signed & 0xFFFFFFFF)


def _header(file: BinaryIO) -> tuple[int, ...] | None:
    """Nonce, pages before the transaction, bytes per sector and page; None: not played back."""
    file.seek(0)
    data = file.read(_HEADER.size)
    if len(data) < _HEADER.size:
        return None
    magic, _, nonce, pages, sector, page = _HEADER.unpack(data)
    page = page or _MAX_UNIT  # an old journal does not say
    sound = sector in _powers_of_two(32) and page in _powers_of_two(512)
    return (nonce, pages, sector, page) if magic == _MAGIC and sound else None


def _powers_of_two(first: int) -> set[int]:
    return {1 << bit for bit in range(first.bit_length() - 1, _MAX_UNIT.bit_length())}


def _fits(header: tuple[int, ...], size: int, database_size: int) -> bool:
    """Whether a transaction on the database can have written a journal of that header and size.

    The database is cut back only after its journal is gone, and each of its pages is in the
    journal once at most, each with its number, its checksum and a header of its own at the worst.
    """
    _, pages, sector, page = header
    return (
        pages * page <= database_size and size <= (pages + 2) * (page + 8 + 2 * sector) + _MAX_NAME
    )
