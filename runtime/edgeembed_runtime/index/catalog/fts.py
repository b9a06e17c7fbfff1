"""The keyword table (FTS5): its schema, its rows, and its check.

It has a row for each document row with a text or title: the words of the title, the words of the
text, and the names of both (see `index/terms`). It holds no text itself; what it once indexed is
computed again from the document row. English words are stemmed by FTS5's own Porter stemmer, which
leaves words of other scripts alone.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from types import NoneType
from typing import cast

from edgeembed_runtime.errors import out_of_files
from edgeembed_runtime.index.catalog.rows import typed
from edgeembed_runtime.index.terms.terms import table_row

FTS_SCHEMA = (
    "CREATE VIRTUAL TABLE fts USING fts5(title, words, names, content='', "
    "tokenize=\"porter unicode61 remove_diacritics 0 categories 'L* M* N* Co P* S*'\")"
)
FTS_SHADOW_TABLES = frozenset({"fts_data", "fts_idx", "fts_docsize", "fts_config"})
"""The tables that FTS5 itself makes; their text differs between SQLite versions."""
_TEXTS = ((str, NoneType), (str, NoneType))
_DOCUMENTS = "SELECT docid, title, text FROM doc WHERE (text IS NOT NULL OR title IS NOT NULL)"


def has_fts5() -> bool:
    """Whether this SQLite library can do keyword search (tried, not guessed)."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
        except sqlite3.OperationalError:
            return False
        return True


def insert_terms(
    connection: sqlite3.Connection, rows: Iterable[tuple[int, str | None, str | None]]
) -> None:
    """Index the terms of new document rows: (row, title, text); None is none."""
    connection.executemany(
        "INSERT INTO fts(rowid, title, words, names) VALUES (?, ?, ?, ?)",
        ((docid, *_terms(title, text)) for docid, title, text in rows if title or text is not None),
    )


def remove_terms(connection: sqlite3.Connection, docids: Sequence[int]) -> None:
    """Remove the terms of document rows, which must still be in the document table."""
    for docid in docids:
        rows = _texts(connection.execute(f"{_DOCUMENTS} AND docid = ?", (docid,)))
        # A table without content must be told what it once indexed.
        connection.executemany(
            "INSERT INTO fts(fts, rowid, title, words, names) VALUES ('delete', ?, ?, ?, ?)",
            [(docid, *_terms(title, text)) for docid, title, text in rows],
        )


def fill_terms(connection: sqlite3.Connection) -> None:
    """Create the keyword table, and index the terms of all document rows."""
    connection.execute(FTS_SCHEMA)
    insert_terms(connection, _texts(connection.execute(_DOCUMENTS)))


def find_fts_problem(connection: sqlite3.Connection) -> str | None:
    """Say how the keyword table differs from the texts; None if it does not.

    Its own structure is checked by FTS5, which does so by an INSERT that a reader may not make. So
    both tables, this one and one made from the texts again, are in a copy that SQLite keeps in a
    temporary file.

    Raises:
        sqlite3.Error: the catalog could not be copied.
    """
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = OFF")
        try:
            copy.execute("INSERT INTO fts(fts) VALUES ('integrity-check')")
            found = _summary(copy)
            copy.execute("DROP TABLE fts")
            fill_terms(copy)
            differs = found != _summary(copy)
        except (sqlite3.DatabaseError, MemoryError) as error:  # a damaged size asks for too much
            if out_of_files(error):
                raise
            return f"the keyword table does not match the texts ({error})"
    return "the keyword table does not match the texts" if differs else None


def _texts(rows: sqlite3.Cursor) -> Iterator[tuple[int, str | None, str | None]]:
    return cast("Iterator[tuple[int, str | None, str | None]]", typed(rows, int, *_TEXTS))


def _terms(title: str | None, text: str | None) -> tuple[str, str, str]:
    title_words, title_names = table_row(title or "")
    words, names = table_row(text or "")
    return title_words, words, f"{names} {title_names}".strip()


def _summary(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Each term and column with its counts, and where the occurrences are."""
    connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab('main', 'fts', 'col')")
    connection.execute(
        "CREATE VIRTUAL TABLE temp.places USING fts5vocab('main', 'fts', 'instance')"
    )
    found = connection.execute("SELECT term, col, doc, cnt FROM temp.terms").fetchall()
    found += connection.execute(
        "SELECT count(*), sum(doc), sum(offset), sum(doc * offset % 1000003) FROM temp.places"
    ).fetchall()
    connection.execute("DROP TABLE temp.terms")
    connection.execute("DROP TABLE temp.places")
    return found
