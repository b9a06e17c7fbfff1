"""The keyword table (FTS5): its schema, its rows, its query syntax, and its check."""

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Sequence

FTS_SCHEMA = (
    "CREATE VIRTUAL TABLE fts USING fts5(text, content='doc', content_rowid='docid', "
    "tokenize='unicode61 remove_diacritics 2')"
)
FTS_SHADOW_TABLES = frozenset({"fts_data", "fts_idx", "fts_docsize", "fts_config"})
"""The tables that FTS5 itself makes; their text differs between SQLite versions."""
_MAX_TERMS = 64
_WORD = re.compile(r"[^\W_]+")


def has_fts5() -> bool:
    """Whether this SQLite library can do keyword search (tried, not guessed)."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
        except sqlite3.OperationalError:
            return False
        return True


def insert_texts(connection: sqlite3.Connection, texts: Iterable[tuple[int, str | None]]) -> None:
    """Index the words of new document rows; None is no text."""
    connection.executemany(
        "INSERT INTO fts(rowid, text) VALUES (?, ?)",
        ((docid, text) for docid, text in texts if text is not None),
    )


def remove_texts(connection: sqlite3.Connection, docids: Sequence[int]) -> None:
    """Remove the words of document rows, which must still be in the document table."""
    # An external-content table must be told the text that it once indexed.
    connection.executemany(
        "INSERT INTO fts(fts, rowid, text) "
        "SELECT 'delete', docid, text FROM doc WHERE docid = ? AND text IS NOT NULL",
        ((docid,) for docid in docids),
    )


def match_expression(query: str) -> str | None:
    """An FTS5 query for any of a text's words; None if it has none.

    Each word is quoted, so that nothing in the text acts as FTS5 syntax.
    """
    words = dict.fromkeys(word.lower() for word in _WORD.findall(query))
    return " OR ".join(f'"{word}"' for word in list(words)[:_MAX_TERMS]) or None


def find_fts_problem(connection: sqlite3.Connection) -> str | None:
    """Say how the keyword table differs from the texts; None if it does not.

    FTS5 checks by an INSERT, which a reader may not make, so it is made in a copy that SQLite keeps
    in a temporary file.

    Raises:
        sqlite3.Error: the catalog could not be copied.
    """
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = OFF")
        try:
            # FTS5 expects an entry for every row, and has none for a row without a text.
            copy.execute("DELETE FROM doc WHERE text IS NULL")
            copy.execute("INSERT INTO fts(fts, rank) VALUES ('integrity-check', 1)")
        except (sqlite3.DatabaseError, MemoryError) as error:  # a damaged size asks for too much
            return f"the keyword table does not match the texts ({error})"
    return None
