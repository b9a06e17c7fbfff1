"""Rows of the document table: inserted, marked dead, looked up by key, and read."""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.base.types import StoredDocument
from edgeembed_runtime.index.base.validation import MAX_KEY_CHARS, Batch
from edgeembed_runtime.index.catalog.catalog import meta_int, set_meta
from edgeembed_runtime.index.catalog.filter_sql import EVERY_ROW, Condition
from edgeembed_runtime.index.catalog.fts import insert_terms, remove_terms
from edgeembed_runtime.index.catalog.rows import count_of, typed
from edgeembed_runtime.index.catalog.schema import format_of

T = TypeVar("T")
VISIBLE = "doc.born <= ? AND (doc.dead IS NULL OR doc.dead > ?)"
"""SQL condition for rows that exist at a generation; bind the generation twice."""
# Older SQLite allows 999 bound values in a statement.
_CHUNK = 500
_LAST_CHARACTER = "\U0010ffff"
_NEVER = -1  # no CRC-32 has this value


class DocumentRow(NamedTuple):
    """One row of the document table, as stored."""

    docid: int
    key: str
    text: str | None
    meta_json: str | None
    crc32: int
    title: str | None

    def is_sound(self) -> bool:
        """Whether the contents match the checksum."""
        return self.crc32 == checksum(self.key, self.text, self.meta_json, self.title)

    def parsed(self) -> StoredDocument:
        """The row as a result, with decoded metadata.

        Raises:
            IndexCorruptError: the checksum does not match.
        """
        if not self.is_sound():
            raise IndexCorruptError(
                f"the document with key {self.key!r} is damaged: its checksum does not match; "
                f"upsert it again, or restore the index from a backup"
            )
        metadata = None if self.meta_json is None else _metadata(self.key, self.meta_json)
        return StoredDocument(key=self.key, document=self.text, metadata=metadata, title=self.title)


def _not_json(name: str) -> object:
    raise ValueError(name)


# Not the default: NaN and Infinity, which Python reads, are not JSON.
_JSON = json.JSONDecoder(parse_constant=_not_json)


def _metadata(key: str, text: str) -> dict[str, Any]:
    try:
        metadata = _JSON.decode(text)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise IndexCorruptError(
            f"the metadata of the document with key {key!r} is damaged; upsert it again, or "
            f"restore the index from a backup"
        )
    return cast("dict[str, Any]", metadata)


def checksum(key: str, text: str | None, meta_json: str | None, title: str | None = None) -> int:
    """CRC-32 of key, text, metadata and title; a missing part differs from an empty one."""
    parts = [key.encode()]
    parts += [b"" if part is None else b"\1" + part.encode() for part in (text, meta_json)]
    parts += [] if title is None else [title.encode()]
    return zlib.crc32(b"\0".join(parts))


def insert_documents(connection: sqlite3.Connection, batch: Batch, born: int, *, fts: bool) -> None:
    """Insert a batch with its tail vectors; older rows of its keys die."""
    mark_dead(connection, batch.keys, born)
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'doc'").fetchone()
    first = count_of(last or (0,), "row numbers") + 1
    docids = range(first, first + len(batch.keys))
    connection.executemany(
        "INSERT INTO doc(docid, key, text, meta_json, crc32, born, title, blank) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (docid, key, text, meta, checksum(key, text, meta, title), born, title, blank or None)
            for docid, key, text, meta, title, blank in zip(
                docids,
                batch.keys,
                batch.documents,
                batch.metadatas,
                batch.titles,
                batch.blank.tolist(),
                strict=True,
            )
        ),
    )
    blobs = (row.astype("<f4", copy=False).tobytes() for row in batch.vectors)
    connection.executemany(
        "INSERT INTO tail(docid, vec, crc32) VALUES (?, ?, ?)",
        ((docid, blob, zlib.crc32(blob)) for docid, blob in zip(docids, blobs, strict=True)),
    )
    if fts:
        insert_terms(connection, zip(docids, batch.titles, batch.documents, strict=True))


def mark_dead(connection: sqlite3.Connection, keys: Sequence[str], dead: int) -> int:
    """Mark the current rows of some keys as dead; returns how many there were."""
    docids = docids_of(connection, keys, dead - 1).values()
    connection.executemany(
        "UPDATE doc SET dead = ? WHERE docid = ?", ((dead, docid) for docid in docids)
    )
    set_meta(connection, "dead", meta_int(connection, "dead") + len(docids))
    return len(docids)


def purge_documents(connection: sqlite3.Connection, docids: Sequence[int], *, fts: bool) -> None:
    """Remove dead rows permanently, from the keyword table too."""
    if fts:
        remove_terms(connection, docids)
    connection.executemany("DELETE FROM doc WHERE docid = ?", ((docid,) for docid in docids))
    set_meta(connection, "dead", meta_int(connection, "dead") - len(docids))


def docids_of(
    connection: sqlite3.Connection, keys: Iterable[str], generation: int
) -> dict[str, int]:
    """Map each key that exists at a generation to its row.

    Raises:
        IndexCorruptError: SQLite's index of keys leads to a row of another key.
    """
    # The self-join checks the key: a damaged index of keys must not lead to another document.
    select = "SELECT doc.key, doc.docid FROM doc AS named CROSS JOIN doc USING (docid)"
    found: dict[str, int] = {}
    for chunk in _chunks(keys):
        marks = ", ".join("?" * len(chunk))
        # Two queries, because SQLite uses an index for each, and none for an OR of both.
        named: list[tuple[str, int]] = connection.execute(
            f"{select} WHERE named.key IN ({marks}) AND named.dead IS NULL AND doc.born <= ?",
            (*chunk, generation),
        ).fetchall()
        if not {key for key, _ in named} <= set(chunk):
            raise IndexCorruptError(
                "the catalog is damaged: its index of keys leads to rows of other keys; restore "
                "the index from a backup"
            )
        found.update(named)
        found.update(
            connection.execute(
                f"{select} WHERE named.dead > ? AND doc.born <= ? AND doc.key IN ({marks})",
                (generation, generation, *chunk),
            )
        )
    return found


def read_documents(
    connection: sqlite3.Connection, docids: Iterable[int]
) -> Mapping[int, StoredDocument]:
    """Read documents by row, and check every checksum.

    Raises:
        IndexCorruptError: a row is missing or damaged.
    """
    wanted = [int(docid) for docid in docids]
    found: dict[int, StoredDocument] = {}
    for chunk in _chunks(wanted):
        marks = ", ".join("?" * len(chunk))
        for row in _rows(connection, f"WHERE docid IN ({marks})", chunk):
            found[row.docid] = row.parsed()
    for docid in wanted:
        if docid not in found:
            raise IndexCorruptError(f"the catalog lacks document row {docid}, which a vector names")
    return found


def iterate_rows(connection: sqlite3.Connection, generation: int) -> Iterator[DocumentRow]:
    """All rows that exist at a generation, in the order of writing, unchecked."""
    return _rows(connection, f"WHERE {VISIBLE} ORDER BY docid", (generation, generation))


def keys_at(
    connection: sqlite3.Connection,
    generation: int,
    prefix: str = "",
    condition: Condition = EVERY_ROW,
) -> list[str]:
    """The keys at a generation that start with `prefix`, of rows that match, oldest row first."""
    if not prefix:
        cursor = connection.execute(
            f"SELECT key FROM doc WHERE {VISIBLE} AND {condition.sql} ORDER BY docid",
            (generation, generation, *condition.values),
        )
        return [key for (key,) in typed(cursor, str)]
    # No key with this prefix is greater, because none is longer.
    last = prefix + _LAST_CHARACTER * MAX_KEY_CHARS
    rows: list[tuple[int, str]] = []
    # Two queries, as in docids_of.
    for lives in ("dead IS NULL", f"dead > {generation:d}"):
        cursor = connection.execute(
            f"SELECT docid, key FROM doc WHERE {lives} AND born <= ? AND key BETWEEN ? AND ? "
            f"AND {condition.sql}",
            (generation, prefix, last, *condition.values),
        )
        rows += typed(cursor, int, str)
    return [key for _, key in sorted(rows)]


def count_at(connection: sqlite3.Connection, generation: int, condition: Condition) -> int:
    """How many rows of a generation match."""
    cursor = connection.execute(
        f"SELECT count(*) FROM doc WHERE {VISIBLE} AND {condition.sql}",
        (generation, generation, *condition.values),
    )
    return count_of(cursor.fetchone(), "rows")


def visible_docids(
    connection: sqlite3.Connection, docids: Iterable[int], generation: int
) -> set[int]:
    """Those of some rows that exist at a generation."""
    found: set[int] = set()
    for chunk in _chunks(docids):
        marks = ", ".join("?" * len(chunk))
        select = f"SELECT docid FROM doc WHERE docid IN ({marks}) AND {VISIBLE}"
        rows = connection.execute(select, (*chunk, generation, generation))
        found.update(docid for (docid,) in rows)
    return found


def blank_docids(
    connection: sqlite3.Connection, generation: int | None = None
) -> NDArray[np.int64]:
    """The rows without a vector, ascending int64: of a generation, or all."""
    if format_of(connection) == 1:
        return np.empty(0, np.int64)
    condition, values = ("1", ()) if generation is None else (VISIBLE, (generation, generation))
    cursor = connection.execute(
        f"SELECT docid FROM doc WHERE blank IS NOT NULL AND {condition} ORDER BY docid", values
    )
    return np.fromiter((docid for (docid,) in cursor), dtype=np.int64)


def dead_docids(connection: sqlite3.Connection, since: int = -1) -> NDArray[np.int64]:
    """The rows that died after generation `since`, ascending int64."""
    cursor = connection.execute("SELECT docid FROM doc WHERE dead > ?", (since,))
    return np.sort(np.fromiter((docid for (docid,) in cursor), dtype=np.int64))


def _rows(
    connection: sqlite3.Connection, condition: str, values: Sequence[object]
) -> Iterator[DocumentRow]:
    title = "title" if format_of(connection) > 1 else "NULL"
    cursor = connection.execute(
        f"SELECT docid, key, text, meta_json, crc32, {title} FROM doc {condition}",
        tuple(values),  # type: ignore[arg-type]
    )
    for docid, key, *texts, crc32, title in cursor:
        damaged = any(each is not None and not isinstance(each, str) for each in (*texts, title))
        if damaged or not isinstance(key, str):
            yield DocumentRow(docid, str(key), None, None, _NEVER, None)
            continue
        text, meta_json = texts
        yield DocumentRow(docid, key, text, meta_json, crc32, title)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
