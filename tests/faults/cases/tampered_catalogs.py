"""Catalogs that are sound to SQLite, and say what edgeembed would not have said."""

import contextlib
import random
import sqlite3
import zlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

_TABLES = ("meta", "doc", "tail", "segment", "segfile", "gc")
_SHADOWS = ("fts_data", "fts_idx", "fts_docsize", "fts_config")
_INTEGERS = (0, 1, -1, 2, 7, 255, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, -(2**63))
_TEXTS = (
    "", "a", "0", "1", "\0", "note:x", "../../x", "x" * 5000, "cosine", "annoy", "usearch", "exact",
    "[" * 900, '{"a":' * 40 + "1" + "}" * 40, '{"start": 1e999}', '{"n": NaN}', "[1]", "{", "3",
    '{"start": -1, "end": "x"}', '{"n": 1, "n": 2}', "9" * 4400, "x#" + "9" * 4400,
    "🏳️‍🌈", "\U0010ffff",
)  # fmt: skip
_REALS = (0.0, -0.0, 0.5, -1.5, 1e308, float("inf"), float("-inf"), 1e-320)


def tampered(catalog: Path, chance: random.Random) -> str:
    """Tamper with a catalog in one to three ways; returns what was done."""
    done: list[str] = []
    with _relaxed(catalog) as connection:
        for _ in range(chance.choice((1, 1, 2, 3))):
            way = chance.choices([way for way, _ in _WAYS], [weight for _, weight in _WAYS])[0]
            try:
                done.append(way(connection, chance))
            except (sqlite3.Error, OverflowError, IndexError, UnicodeError) as error:
                done.append(f"{way.__name__} in vain: {error}")
        if chance.random() < 0.7:
            with contextlib.suppress(sqlite3.Error):  # a table is gone
                _sum_again(connection)
    return "; ".join(done)


@contextlib.contextmanager
def _relaxed(catalog: Path) -> Generator[sqlite3.Connection]:
    """A connection without NOT NULL; the schema is as it was afterwards."""
    with contextlib.closing(sqlite3.connect(catalog, isolation_level=None)) as connection:
        kept = _schema(connection)
        _write_schema(
            catalog,
            {
                name: sql.replace(" NOT NULL", "")
                for name, sql in kept.items()
                if name in _TABLES and "WITHOUT ROWID" not in sql
            },
        )
    with contextlib.closing(sqlite3.connect(catalog, isolation_level=None)) as connection:
        connection.text_factory = bytes
        yield connection
        now = _schema(connection)
    _write_schema(catalog, {name: sql for name, sql in kept.items() if name in now})


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_master")
    return {name.decode(): sql.decode() for name, sql in rows if sql is not None}


def _write_schema(catalog: Path, statements: dict[str, str]) -> None:
    with contextlib.closing(sqlite3.connect(catalog, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany(
            "UPDATE sqlite_master SET sql = ? WHERE name = ?",
            [(sql, name) for name, sql in statements.items()],
        )
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        connection.execute(f"PRAGMA schema_version = {version + 1}")


def _odd(chance: random.Random) -> Any:
    kind = chance.randrange(7)
    if kind == 0:
        return None
    if kind in (1, 2):
        return chance.choice(_INTEGERS)
    if kind == 3:
        return chance.choice(_REALS)
    if kind == 4:
        return chance.randbytes(chance.choice((0, 1, 31, 32, 33, 4096)))
    if kind == 5:
        return _NotText(chance.choice((b"\xff", b"a\xc0\x80", b"\xed\xa0\x80", b"\x80" * 40)))
    return chance.choice(_TEXTS)


class _NotText(bytes):
    """Bytes to be stored as TEXT."""


def _mark(value: object) -> str:
    return "CAST(? AS TEXT)" if isinstance(value, _NotText) else "?"


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1].decode() for row in connection.execute(f"PRAGMA table_info({table})")]


def _where(chance: random.Random, connection: sqlite3.Connection, table: str) -> str:
    """A condition for one row, some or all."""
    if chance.random() < 0.25:
        return "1"
    column = _columns(connection, table)[0]
    rows = connection.execute(f"SELECT quote({column}) FROM {table}").fetchall()
    return f"{column} = {chance.choice(rows)[0].decode()}"


def other_value(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Put an odd value into a column."""
    table = chance.choice(_TABLES[1:])
    column = chance.choice(_columns(connection, table))
    value, where = _odd(chance), _where(chance, connection, table)
    connection.execute(f"UPDATE {table} SET {column} = {_mark(value)} WHERE {where}", (value,))
    return f"{table}.{column} = {value!r:.60} where {where}"


def other_meta(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Change, remove or add an entry of meta."""
    names = [row[0].decode() for row in connection.execute("SELECT k FROM meta")]
    name, value = chance.choice([*names, "note:x", "note:", "odd", ""]), _odd(chance)
    if chance.random() < 0.15:
        connection.execute("DELETE FROM meta WHERE k = ?", (name,))
        return f"without meta {name}"
    mark = _mark(value)
    connection.execute(f"INSERT OR REPLACE INTO meta(k, v) VALUES (?, {mark})", (name, value))
    return f"meta {name} = {value!r:.60}"


def other_number(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Make a number a little larger or smaller, or another row's."""
    table = chance.choice(("doc", "tail", "segment", "segfile", "sqlite_sequence"))
    column = chance.choice(_columns(connection, table))
    change = chance.choice((f"{column} + 1", f"{column} - 1", f"{column} * 2", f"-{column}"))
    where = _where(chance, connection, table)
    connection.execute(f"UPDATE {table} SET {column} = {change} WHERE {where}")
    return f"{table}.{column} = {change} where {where}"


def other_sequence(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Change where row numbers go on."""
    value = _odd(chance)
    connection.execute(f"UPDATE sqlite_sequence SET seq = {_mark(value)}", (value,))
    return f"sequence = {value!r:.60}"


def fewer_rows(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Delete rows."""
    table = chance.choice((*_TABLES, *_SHADOWS, "sqlite_sequence"))
    where = _where(chance, connection, table)
    connection.execute(f"DELETE FROM {table} WHERE {where}")
    return f"without {table} where {where}"


def more_rows(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Copy a row, with one value changed; or add one of odd values."""
    table = chance.choice(_TABLES)
    columns = _columns(connection, table)
    values = [_odd(chance) for _ in columns]
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    if rows and chance.random() < 0.6:
        copied = list(chance.choice(rows))
        for at in {0, chance.randrange(len(columns))}:
            copied[at] = values[at]
        values = [
            _NotText(v) if isinstance(v, bytes) and c not in ("vec",) else v
            for v, c in zip(copied, columns, strict=True)
        ]
    marks = ", ".join(map(_mark, values))
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)
    return f"{table} with {values!r:.120}"


def exchanged(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Exchange a value of two rows."""
    table = chance.choice(("doc", "tail", "segment", "segfile", "fts_data", "fts_docsize"))
    columns = _columns(connection, table)
    column, key = chance.choice(columns[1:]), columns[0]
    rows = connection.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
    (first, one), (second, other) = chance.sample(rows, 2)
    statement = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
    for row, value in ((first, other), (second, one)):
        is_text = isinstance(value, bytes) and column not in ("vec", "block", "sz")
        connection.execute(
            statement.replace("= ?", "= CAST(? AS TEXT)", 1) if is_text else statement, (value, row)
        )
    return f"{table}.{column} exchanged"


def foreign_schema(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Add or drop something, or say that it is of another format."""
    statement = chance.choice((
        "CREATE TABLE foreign_table(a)",
        "CREATE INDEX more ON doc(born)",
        "CREATE VIEW v AS SELECT * FROM doc",
        "CREATE TRIGGER t AFTER INSERT ON doc BEGIN DELETE FROM meta; END",
        "CREATE TRIGGER t BEFORE UPDATE ON meta BEGIN SELECT RAISE(IGNORE); END",
        "CREATE VIRTUAL TABLE other USING fts5(x)",
        "DROP TABLE gc", "DROP TABLE fts", "DROP INDEX doc_key", "DROP INDEX doc_dead",
        "DROP INDEX doc_blank", "DROP TABLE tail",
        "PRAGMA user_version = 1", "PRAGMA user_version = 0", "PRAGMA user_version = -5",
        "PRAGMA user_version = 99", "PRAGMA application_id = 1", "PRAGMA journal_mode = WAL",
        "PRAGMA encoding = 'UTF-16'", "ANALYZE",
    ))  # fmt: skip
    connection.execute(statement)
    if statement == "ANALYZE":
        connection.execute("UPDATE sqlite_stat1 SET stat = ?", (chance.choice(("0", "-1 9", "x")),))
    return statement


def forged_words(connection: sqlite3.Connection, chance: random.Random) -> str:
    """Change what FTS5 keeps its words in."""
    kind = chance.randrange(5)
    if kind == 0:
        rowid = chance.choice((-(2**62), -1, 0, 10**6, 2**62))
        connection.execute(
            "INSERT INTO fts(rowid, title, words, names) VALUES (?, 'river', 'river stone', '')",
            (rowid,),
        )
        return f"a word of row {rowid}"
    if kind == 1:
        key, value = chance.choice(("pgsz", "version", "rank", "crisismerge", "x")), _odd(chance)
        mark = _mark(value)
        connection.execute(f"INSERT OR REPLACE INTO fts_config VALUES (?, {mark})", (key, value))
        return f"fts_config {key} = {value!r:.60}"
    if kind == 2:
        value, where = _odd(chance), _where(chance, connection, "fts_docsize")
        connection.execute(f"UPDATE fts_docsize SET sz = {_mark(value)} WHERE {where}", (value,))
        return f"fts_docsize = {value!r:.60}"
    rows = connection.execute("SELECT id, block FROM fts_data").fetchall()
    number, block = chance.choice(rows)
    data = bytearray(block)
    if kind == 3:
        data = bytearray(chance.randbytes(chance.choice((0, 1, 4, 40, 4000))))
    for _ in range(chance.randint(1, 4)):
        if data:
            data[chance.randrange(min(len(data), 64))] = chance.choice((0, 1, 127, 128, 255))
    connection.execute("UPDATE fts_data SET block = ? WHERE id = ?", (bytes(data), number))
    return f"fts_data {number}"


def _sum_again(connection: sqlite3.Connection) -> None:
    """Make the checksums match, where the values are of their kinds."""
    rows = connection.execute("SELECT docid, key, text, meta_json, title FROM doc").fetchall()
    for docid, *texts in rows:
        if texts[0] is None or any(not isinstance(t, bytes | None) for t in texts):
            continue
        key, text, meta, title = texts
        parts = [key, *(b"" if part is None else b"\1" + part for part in (text, meta))]
        crc32 = zlib.crc32(b"\0".join([*parts, *([] if title is None else [title])]))
        connection.execute("UPDATE doc SET crc32 = ? WHERE docid = ?", (crc32, docid))
    for docid, vector in connection.execute("SELECT docid, vec FROM tail").fetchall():
        if isinstance(vector, bytes):
            connection.execute(
                "UPDATE tail SET crc32 = ? WHERE docid = ?", (zlib.crc32(vector), docid)
            )


_Way = Callable[[sqlite3.Connection, random.Random], str]
_WAYS: tuple[tuple[_Way, int], ...] = (
    (other_value, 6),
    (other_meta, 4),
    (other_number, 3),
    (other_sequence, 1),
    (fewer_rows, 2),
    (more_rows, 4),
    (exchanged, 2),
    (foreign_schema, 1),
    (forged_words, 3),
)
