"""A persistent embedding cache: one size-limited SQLite file, shared by any number of processes."""

import contextlib
import hashlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.batching import batched
from edgeembed_runtime._internal.forks import follow_forks
from edgeembed_runtime._internal.public import public
from edgeembed_runtime._internal.sqlite_files import open_database, refuses_writing
from edgeembed_runtime.arguments import checked_path, shown
from edgeembed_runtime.engine.base import EncodeMany, NumberedText
from edgeembed_runtime.errors import EdgeEmbedError, InputError, StorageError

_log = logging.getLogger("edgeembed")
# "eeVC": a database with another application id is not a cache, and is left alone.
_APPLICATION_ID = 0x65655643
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors"
    " (key BLOB PRIMARY KEY, vector BLOB NOT NULL, crc32 INTEGER NOT NULL)"
)
# Evict down to this share of the limit, so that the cache is not full again right away.
_SHARE_AFTER_EVICTION = 0.9
_CONNECTION: Mapping[str, Any] = {"timeout_s": 2.0, "wal": True, "isolation_level": "DEFERRED"}
# SQLite's limit on parameters per statement before 3.32.
_MAX_PARAMETERS = 999
_MOST_MB = 1 << 40
_LEAST_LENGTH = 1e-12
# Rounding moves the length of a unit vector by less.
_LENGTH_TOLERANCE = 1e-3
# What SQLite raises for a damaged or locked file, and what `_open` turns it into.
_FAILURES = (sqlite3.Error, EdgeEmbedError, UnicodeDecodeError)
_REFUSED = (
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_PERM",
    "SQLITE_AUTH",
)


@public
class EmbeddingCache:
    """A persistent cache of text vectors, keyed by model and text.

    Pass it to `Encoder.load(cache=...)`. Any number of threads and processes can share one file;
    when it is full, the oldest vectors are evicted. If reading or writing fails, texts are encoded
    again; the first failure is logged as a warning to the logger "edgeembed". A file without write
    permission is opened read-only.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_mb: int = 256) -> None:
        """Open the cache file at `path`, or create it.

        Args:
            path: the SQLite file.
            max_mb: the size limit in MB (2**20 bytes).

        Raises:
            InputError: `max_mb` is not a positive integer, `path` is not a path, or the file is
                another database.
            StorageError: the file system refused.
            EdgeEmbedError: the file cannot be opened.
        """
        if type(max_mb) is not int or not 1 <= max_mb <= _MOST_MB:
            raise InputError(f"max_mb: expected 1 or more, at most {_MOST_MB}, got {shown(max_mb)}")
        self.path: Path = checked_path(path).absolute()
        self.max_mb = max_mb
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._warned = False
        with self._lock:
            self._open()
        follow_forks(
            self,
            before=EmbeddingCache._suspend,
            in_parent=EmbeddingCache._resume,
            in_child=EmbeddingCache._resume,
        )

    def __reduce__(self) -> tuple[Callable[..., "EmbeddingCache"], tuple[str, int]]:
        """Pickle the path and the size limit; the copy opens the same file."""
        return _reopen, (str(self.path), self.max_mb)

    def __len__(self) -> int:
        """Return the number of cached vectors.

        Raises:
            EdgeEmbedError: the file cannot be read.
        """
        try:
            with self._lock:
                return int(self._open().execute("SELECT count(*) FROM vectors").fetchone()[0])
        except _FAILURES as error:
            raise self._refusal(f"read it: {error}", error) from error

    def through(
        self,
        model: str,
        texts: Iterable[NumberedText],
        encode_many: EncodeMany,
        *,
        window: int,
        dim: int,
        unit: bool,
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the vector of every text, in order, calling `encode_many` for missing ones only.

        A vector that this model cannot have made is missing: of another length, not finite, zero,
        or, with `unit`, not of unit length.

        Args:
            model: identifies the model; vectors of other models are never returned.
            texts: the texts with their positions.
            encode_many: encodes texts that are not cached; their vectors are stored.
            window: how many texts to look up, encode and store together.
            dim: components of the model's vectors.
            unit: whether they have unit length.

        Yields:
            (dim,) float32 vectors; the caller may modify them.
        """
        for window_texts in batched(texts, window):
            keys = [_key(model, text) for _, text in window_texts]
            known = _plausible(self._get(keys), dim, unit=unit)
            missing: dict[bytes, NumberedText] = {}
            for key, item in zip(keys, window_texts, strict=True):
                if key not in known:
                    missing.setdefault(key, item)
            encoded = zip(missing, encode_many(missing.values()), strict=True)
            fresh: dict[bytes, NDArray[np.float32]] = {}
            try:
                for key in keys:
                    while key not in known and key not in fresh:
                        fresh.update([next(encoded)])
                    # A copy, so that the caller may modify it.
                    yield (known[key] if key in known else fresh[key]).copy()
            finally:  # store what is done, even if the rest fails
                self._put(fresh)

    def clear(self) -> None:
        """Delete all vectors.

        Raises:
            EdgeEmbedError: the file cannot be written.
        """
        try:
            with self._lock, self._open() as connection:
                connection.execute("DELETE FROM vectors")
        except _FAILURES as error:
            raise self._refusal(f"clear it: {error}", error) from error

    def close(self) -> None:
        """Close the file; the next use reopens it."""
        with self._lock:
            self._disconnect()

    def _suspend(self) -> None:
        """Close the file before a fork: SQLite's locks do not survive one."""
        self._lock.acquire()
        self._disconnect()

    def _resume(self) -> None:
        """Continue after a fork; the next use reopens the file."""
        self._lock.release()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _get(self, keys: list[bytes]) -> dict[bytes, bytes]:
        vectors: dict[bytes, bytes] = {}
        try:
            with self._lock:
                connection = self._open()
                for start in range(0, len(keys), _MAX_PARAMETERS):
                    chunk = keys[start : start + _MAX_PARAMETERS]
                    placeholders = ",".join("?" * len(chunk))
                    query = f"SELECT key, vector, crc32 FROM vectors WHERE key IN ({placeholders})"
                    vectors |= {
                        key: blob
                        for key, blob, checksum in connection.execute(query, chunk)
                        if isinstance(blob, bytes) and _checksum(key, blob) == checksum
                    }
        except _FAILURES as error:
            self._warn("read", error)
        return vectors

    def _put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        if not vectors:
            return
        blobs = ((key, vector.tobytes()) for key, vector in vectors.items())
        rows = [(key, blob, _checksum(key, blob)) for key, blob in blobs]
        try:
            with self._lock, self._open() as connection:
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
                self._evict_oldest(connection)
        except _FAILURES as error:
            self._warn("written", error)

    def _refusal(self, what: str, error: Exception) -> EdgeEmbedError:
        code: str = getattr(error, "sqlite_errorname", "")
        refused = isinstance(error, StorageError) or code.startswith(_REFUSED)
        kind = StorageError if refused else EdgeEmbedError
        return kind(f"cache {self.path}: could not {what}")

    def _warn(self, what: str, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            damaged = isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError)
            advice = "; if it is damaged, delete it" if damaged else ""
            _log.warning("cache %s: not %s: %s%s", self.path, what, error, advice)

    def _evict_oldest(self, connection: sqlite3.Connection) -> None:
        """Delete the oldest vectors if the cache is too large; SQLite reuses their pages."""
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        used, limit = (pages - free) * size, self.max_mb << 20
        if used <= limit:
            return
        connection.execute(
            "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors ORDER BY rowid LIMIT"
            " (SELECT cast(count(*) * ? AS INTEGER) FROM vectors))",
            (1 - _SHARE_AFTER_EVICTION * limit / used,),
        )

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = _connect(self.path)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise self._refusal(f"open it: {error}; delete it, or choose another", error) from (
                    error
                )
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    """Open or create the file; without write permission, open it as immutable."""
    try:
        return _initialized(path, open_database(path, mode="rwc", **_CONNECTION))
    except sqlite3.OperationalError as error:
        if not refuses_writing(error, path) or not path.is_file():
            raise
    return _initialized(path, open_database(path, mode="ro&immutable=1", **_CONNECTION))


def _initialized(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        if not _is_cache(path, connection):
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                if not _is_cache(path, connection):  # another process may have been faster
                    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                    connection.execute(_SCHEMA)
            # SQLite does not wait for this lock; whichever process holds it sets the mode too.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_cache(path: Path, connection: sqlite3.Connection) -> bool:
    """Return whether the file is a cache; False if it is empty.

    Raises:
        InputError: it is another database.
    """
    # One statement, so both values come from the same snapshot.
    (application_id, tables), *_ = connection.execute(
        "SELECT application_id, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id"
    )
    if application_id != _APPLICATION_ID and (application_id or tables):
        raise InputError(f"cache {path}: expected an edgeembed cache, got another database")
    return application_id == _APPLICATION_ID


def _plausible(
    blobs: Mapping[bytes, bytes], dim: int, *, unit: bool
) -> dict[bytes, NDArray[np.float32]]:
    """The vectors among some blobs, by key; a checksum can be forged, or be that of other data."""
    keys = [key for key, blob in blobs.items() if len(blob) == 4 * dim]
    rows = np.frombuffer(b"".join(blobs[key] for key in keys), np.float32).reshape(-1, dim)
    with np.errstate(invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    good = np.isfinite(lengths) & (lengths > _LEAST_LENGTH)
    if unit:
        good &= np.abs(lengths - 1) < _LENGTH_TOLERANCE
    return {keys[at]: rows[at] for at in np.flatnonzero(good).tolist()}


def _checksum(key: bytes, blob: bytes) -> int:
    return crc32(blob, crc32(key))


def _key(model: str, text: str) -> bytes:
    # surrogatepass: a lone surrogate gets a key too, and the encoder rejects it.
    return hashlib.sha256(f"{model}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _reopen(path: str, max_mb: int) -> EmbeddingCache:
    return EmbeddingCache(path, max_mb=max_mb)
