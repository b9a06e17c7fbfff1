"""The catalog's tables in formats 1 and 2, and the check that a file has these and nothing else."""

import sqlite3
from pathlib import Path

from edgeembed_runtime.errors import IndexCorruptError, IndexVersionError
from edgeembed_runtime.index.catalog.fts import FTS_SCHEMA, FTS_SHADOW_TABLES, fill_terms
from edgeembed_runtime.index.terms.terms import TERMS_VERSION

APPLICATION_ID = int.from_bytes(b"EEIX", "big")
FORMAT_VERSION = 2

_TABLES = {
    "meta": "CREATE TABLE meta(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
    "doc": (
        "CREATE TABLE doc(docid INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, text TEXT, "
        "meta_json TEXT, crc32 INTEGER NOT NULL, born INTEGER NOT NULL, dead INTEGER, "
        "title TEXT, blank INTEGER)"
    ),
    "tail": (
        "CREATE TABLE tail(docid INTEGER PRIMARY KEY, vec BLOB NOT NULL, crc32 INTEGER NOT NULL)"
    ),
    "segment": (
        "CREATE TABLE segment(seg INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, "
        "n INTEGER NOT NULL, exact_ms REAL, backend TEXT NOT NULL, "
        "trees INTEGER NOT NULL, effort INTEGER NOT NULL, recall REAL, "
        "ann_ms REAL, born INTEGER NOT NULL)"
    ),
    "segfile": (
        "CREATE TABLE segfile(seg INTEGER NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL UNIQUE, "
        "bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY(seg, role)) WITHOUT ROWID"
    ),
    "gc": "CREATE TABLE gc(name TEXT PRIMARY KEY, after_gen INTEGER NOT NULL) WITHOUT ROWID",
}
_INDEXES = {
    "doc_key": "CREATE UNIQUE INDEX doc_key ON doc(key) WHERE dead IS NULL",
    "doc_dead": "CREATE INDEX doc_dead ON doc(dead) WHERE dead IS NOT NULL",
    "doc_blank": "CREATE INDEX doc_blank ON doc(docid) WHERE blank IS NOT NULL",
}
# What format 1 had instead: no titles, every document with a vector, and texts in the keyword table
# as they are.
_ADDED_IN_2 = ("title TEXT", "blank INTEGER")
_DOC_1 = _TABLES["doc"].replace(", " + ", ".join(_ADDED_IN_2), "")
_FTS_1 = (
    "CREATE VIRTUAL TABLE fts USING fts5(text, content='doc', content_rowid='docid', "
    "tokenize='unicode61 remove_diacritics 2')"
)


def create_schema(connection: sqlite3.Connection, meta: dict[str, str | int]) -> None:
    """Create the tables in an empty database, inside the caller's transaction."""
    for statement in (*_TABLES.values(), *_INDEXES.values()):
        connection.execute(statement)
    if meta["fts5"]:
        connection.execute(FTS_SCHEMA)
    connection.executemany(
        "INSERT INTO meta(k, v) VALUES (?, ?)", [*meta.items(), ("terms", TERMS_VERSION)]
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def renew_schema(connection: sqlite3.Connection, *, fts: bool) -> None:
    """Bring format 1, or a keyword table of older terms, up to date, in the caller's transaction.

    Takes about 0.3 ms per document, for its terms.
    """
    if format_of(connection) == 1:
        for column in _ADDED_IN_2:
            connection.execute(f"ALTER TABLE doc ADD COLUMN {column}")
        connection.execute(_INDEXES["doc_blank"])
    if fts:
        connection.execute("DROP TABLE fts")
        fill_terms(connection)
    connection.execute("INSERT OR REPLACE INTO meta(k, v) VALUES ('terms', ?)", (TERMS_VERSION,))
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def format_of(connection: sqlite3.Connection) -> int:
    """The format of an open catalog."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


class UnfinishedIndexError(IndexCorruptError):
    """The catalog is an empty database: creating the index was interrupted, or is under way."""


def check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that a database is an edgeembed index of a known format.

    Raises:
        IndexCorruptError: it is some other database.
        UnfinishedIndexError: it is an empty one.
        IndexVersionError: it was made by a newer edgeembed.
    """
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found != APPLICATION_ID:
        empty = not found and not connection.execute("PRAGMA schema_version").fetchone()[0]
        kind = UnfinishedIndexError if empty else IndexCorruptError
        raise kind(
            f"{path} is not an edgeembed index: expected application_id {APPLICATION_ID}, found "
            f"{found}; if its creation was interrupted, run Index.create again"
        )
    version = format_of(connection)
    if version > FORMAT_VERSION:
        raise IndexVersionError(
            f"{path} was made by a newer edgeembed: expected format {FORMAT_VERSION}, found "
            f"{version}; upgrade edgeembed"
        )
    if version < 1:
        raise IndexCorruptError(f"{path}: expected format 1 to {FORMAT_VERSION}, found {version}")


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that a database has exactly our tables, and no trigger or view.

    A trigger or view in a foreign file would run its own SQL inside our statements.

    Raises:
        IndexCorruptError: something is missing, different or foreign.
    """
    missing = {**_TABLES, **_INDEXES}
    fts = FTS_SCHEMA
    if format_of(connection) == 1:
        missing["doc"], fts = _DOC_1, _FTS_1
        del missing["doc_blank"]
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if name in missing and missing[name] == sql and kind in ("table", "index"):
            del missing[name]
        elif not _belongs(kind, name, sql, fts):
            raise IndexCorruptError(f"{path}: unexpected {kind} {str(name)[:80]!r} in the catalog")
    if missing:
        raise IndexCorruptError(f"{path}: the catalog lacks {sorted(missing)}")


def _belongs(kind: object, name: object, sql: object, fts: str) -> bool:
    if name == "fts":
        return sql == fts
    if name in FTS_SHADOW_TABLES:
        return kind == "table" and str(sql).startswith(f"CREATE TABLE '{name}'")
    own = ("sqlite_sequence", "sqlite_stat1", "sqlite_stat4")
    return name in own or (kind == "index" and sql is None)
