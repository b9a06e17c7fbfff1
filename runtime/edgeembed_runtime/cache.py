"""A persistent cache of vectors: one SQLite file, limited in size, shared by many processes."""

import hashlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.engine.engine import EncodeMany, NumberedText
from edgeembed_runtime.errors import EdgeEmbedError, InputError
from edgeembed_runtime.forks import never_delete, tell_after_fork
from edgeembed_runtime.windows import windows

_log = logging.getLogger("edgeembed")
# "eeVC": a file with another number is somebody else's, and is not touched.
_APPLICATION_ID = 0x65655643
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors"
    " (key BLOB PRIMARY KEY, vector BLOB NOT NULL, crc32 INTEGER NOT NULL)"
)
# Texts that are looked up, encoded and kept together.
_WINDOW = 32
# When the cache is full, so much of it stays, so that it is not full again at once.
_KEPT_SHARE = 0.9
_BUSY_TIMEOUT_S = 2.0


class EmbeddingCache:
    """Vectors of texts that were encoded before, by the model that made them.

    Give it to `Encoder.load(cache=...)`. Any number of threads and processes may share one file;
    the oldest vectors leave when it is full. A cache that cannot be read or written costs time,
    never a result: what goes wrong is logged to the logger "edgeembed" as a warning.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_mb: int = 256) -> None:
        """Open the cache in the file `path`, or make it.

        Raises:
            InputError: `max_mb` is not positive, or the file is something else.
            EdgeEmbedError: it cannot be opened.
        """
        if type(max_mb) is not int or max_mb < 1:
            raise InputError(f"max_mb: expected 1 or more, got {max_mb!r}")
        self.path = Path(path)
        self.max_mb = max_mb
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        with self._lock:
            self._open()
        tell_after_fork(self)

    def __reduce__(self) -> tuple[Callable[..., "EmbeddingCache"], tuple[str, int]]:
        """Pickle as a path and a size: the copy opens the same file."""
        return _reopen, (str(self.path), self.max_mb)

    def __len__(self) -> int:
        """How many vectors it holds."""
        with self._lock:
            return int(self._open().execute("SELECT count(*) FROM vectors").fetchone()[0])

    def through(
        self, model: str, texts: Iterable[NumberedText], encode_many: EncodeMany
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the vector of every text, in order; `encode_many` is asked for missing ones only.

        `model` says whose vectors they are; another model's are never given.
        """
        for window in windows(texts, _WINDOW):
            keys = [_key(model, text) for _, text in window]
            known = self._get(keys)
            missing: dict[bytes, NumberedText] = {}
            for key, item in zip(keys, window, strict=True):
                if key not in known:
                    missing.setdefault(key, item)
            encoded = zip(missing, encode_many(missing.values()), strict=True)
            fresh: dict[bytes, NDArray[np.float32]] = {}
            try:
                for key in keys:
                    while key not in known and key not in fresh:
                        fresh.update([next(encoded)])
                    # A copy: what the caller does to it is not done to the next one's.
                    yield (known[key] if key in known else fresh[key]).copy()
            finally:  # what is done is kept, whatever becomes of the rest
                self._put(fresh)

    def clear(self) -> None:
        """Forget every vector.

        Raises:
            EdgeEmbedError: the file cannot be written now.
        """
        try:
            with self._lock, self._open() as connection:
                connection.execute("DELETE FROM vectors")
        except sqlite3.Error as error:
            raise EdgeEmbedError(f"cache {self.path}: could not clear it: {error}") from error

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def after_fork(self) -> None:
        """Forget the parent's connection, which a child must neither use nor close."""
        self._lock = threading.Lock()
        if self._connection is not None:
            never_delete(self._connection)
            self._connection = None

    def _get(self, keys: list[bytes]) -> dict[bytes, NDArray[np.float32]]:
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, vector, crc32 FROM vectors WHERE key IN ({marks})"
        try:
            with self._lock:
                rows = self._open().execute(query, keys).fetchall()
            return {key: np.frombuffer(v, np.float32) for key, v, sum_ in rows if crc32(v) == sum_}
        except (sqlite3.Error, EdgeEmbedError) as error:
            _log.warning("cache %s: not read: %s", self.path, error)
            return {}

    def _put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        if not vectors:
            return
        blobs = ((key, vector.tobytes()) for key, vector in vectors.items())
        rows = [(key, blob, crc32(blob)) for key, blob in blobs]
        try:
            with self._lock, self._open() as connection:
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
                self._make_room(connection)
        except (sqlite3.Error, EdgeEmbedError) as error:
            _log.warning("cache %s: not written: %s", self.path, error)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        """Drop the oldest vectors of a cache that is too large; their pages are used again."""
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        used, most = (pages - free) * size, self.max_mb << 20
        if used <= most:
            return
        connection.execute(
            "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors ORDER BY rowid LIMIT"
            " (SELECT cast(count(*) * ? AS INTEGER) FROM vectors))",
            (1 - _KEPT_SHARE * most / used,),
        )

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = _connect(self.path)
            except sqlite3.Error as error:
                raise EdgeEmbedError(
                    f"cache {self.path}: could not open it: {error}; choose another file"
                ) from error
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner != _APPLICATION_ID and (owner or tables):
        connection.close()
        raise InputError(f"cache {path}: expected a cache of edgeembed, got another database")
    with connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(_SCHEMA)
    return connection


def _key(model: str, text: str) -> bytes:
    # A lone surrogate is no valid text; it has a key all the same, and the encoder refuses it.
    return hashlib.sha256(f"{model}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _reopen(path: str, max_mb: int) -> EmbeddingCache:
    return EmbeddingCache(path, max_mb=max_mb)
