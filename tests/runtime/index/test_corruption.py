"""Damaged, foreign and hostile files give typed errors: never a crash, never the wrong text."""

import contextlib
import sqlite3

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    IndexCorruptError,
    IndexVersionError,
    SearchIndexError,
)
from helpers.damaged_file import damage_file

SETTINGS = IndexSettings(seal_rows=100)


@pytest.fixture
def path(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16, settings=SETTINGS) as index:
        for start in (0, 150):
            part = range(start, start + 150)
            index.upsert(
                [str(i) for i in part],
                documents=[f"text {i}" for i in part],
                vectors=vectors(300)[start : start + 150],
            )
        index.upsert(["tail"], documents=["tail text"], vectors=vectors(1, seed=5))
        assert len(index.stats().segments) == 2
    return tmp_path / "i"


def _files(path, role):
    return sorted((path / "seg").glob(f"*.{role}"))


def _edit(path, *statements):
    connection = sqlite3.connect(path / "edgeembed.sqlite3", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


KINDS = ["shorter", "longer", "empty", "missing", "link", "folder", "fifo"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ["f32", "ids"])
def test_damaged_vectors_and_ids_stop_the_opening(path, role, kind):
    files = _files(path, role)
    damage_file(files[0], kind, files[1])
    for mode in ("r", "rw"):
        with pytest.raises(IndexCorruptError, match=files[0].name):
            Index.open(path, mode=mode)


@pytest.mark.parametrize("kind", ["flipped", "swapped"])
def test_wrong_ids_stop_the_opening(path, kind):
    files = _files(path, "ids")
    damage_file(files[0], kind, files[1])
    with pytest.raises(IndexCorruptError, match="ids"):
        Index.open(path)


@pytest.mark.parametrize("kind", ["flipped", "swapped"])
def test_wrong_vectors_are_found_by_verify_and_never_copied(path, kind, tmp_path):
    files = _files(path, "f32")
    damage_file(files[0], kind, files[1])
    with Index.open(path, mode="rw") as index:
        assert index.verify(full=False).ok
        report = index.verify()
        assert not report.ok
        assert any(files[0].name in problem for problem in report.problems)
        with pytest.raises(IndexCorruptError, match="SHA-256"):
            index.compact()
        with pytest.raises(IndexCorruptError):
            index.backup(tmp_path / "copy")
        assert len(index) == 301


def test_a_damaged_document_is_an_error_that_names_its_key(path, vectors):
    _edit(path, "UPDATE doc SET text = 'forged' WHERE key = '7'")
    with Index.open(path) as index:
        with pytest.raises(IndexCorruptError, match="'7'"):
            index.get("7")
        with pytest.raises(IndexCorruptError, match="'7'"):
            index.search(vectors(300)[7], 1)
        assert index.get("8")[0].document == "text 8"
        assert "'7'" in index.verify().problems[0]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON doc BEGIN DELETE FROM doc; END",
        "CREATE VIEW v AS SELECT * FROM doc",
        "CREATE TABLE extra(x)",
        "DROP TABLE gc",
        "ALTER TABLE gc ADD COLUMN x",
        "DROP INDEX doc_key",
        "PRAGMA application_id = 0",
        "PRAGMA user_version = 0",
        "UPDATE segfile SET name = '../../../etc/passwd' WHERE seg = 1 AND role = 'f32'",
        "UPDATE segfile SET name = '/etc/passwd' WHERE seg = 1 AND role = 'f32'",
        "UPDATE segfile SET name = 'C:' || name WHERE role = 'ids'",
        "UPDATE segfile SET name = name || char(0) WHERE role = 'ids'",
        "UPDATE segfile SET bytes = 'x'",
        "UPDATE segment SET n = 1000000000",
        "UPDATE segment SET n = -1",
        "UPDATE segment SET n = 'x'",
        "UPDATE segment SET uuid = uuid || '/'",
        "DELETE FROM segfile WHERE role = 'f32'",
        "UPDATE meta SET v = 100000 WHERE k = 'dim'",
        "UPDATE meta SET v = 17 WHERE k = 'dim'",
        "UPDATE meta SET v = 'x' WHERE k = 'gen'",
        "DELETE FROM meta",
        "UPDATE tail SET vec = x'00'",
        "UPDATE tail SET vec = 'text'",
        "UPDATE tail SET vec = zeroblob(64)",
    ],
)
def test_a_tampered_catalog_stops_the_opening(path, statement):
    _edit(path, statement)
    for mode in ("r", "rw"):
        with pytest.raises(SearchIndexError):
            Index.open(path, mode=mode)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM doc WHERE key = '3'",
        "DELETE FROM tail",
        "UPDATE segment SET trees = 3, effort = -5, recall = 'x', exact_ms = 'y'",
        "INSERT INTO gc VALUES ('../../x', 1)",
        "UPDATE doc SET key = x'ff00' WHERE key = '3'",
        "UPDATE doc SET text = CAST(x'fffe' AS TEXT) WHERE key = '3'",
        "UPDATE doc SET meta_json = '{' WHERE key = '3'",
        "UPDATE doc SET born = 'x' WHERE key = '3'",
    ],
)
def test_other_tampering_ends_in_a_result_or_a_typed_error(path, statement, vectors):
    _edit(path, statement)
    with Index.open(path, mode="rw") as index:
        for use in (
            lambda: index.search(vectors(300)[3], 5),
            lambda: index.search(vectors(300)[3], 5, where={"a": 1}),
            lambda: index.get("3"),
            lambda: list(index.keys()),
            lambda: index.verify(),
            lambda: index.upsert(["3"], documents=["x"], vectors=vectors(1)),
            index.compact,
            index.stats,
        ):
            with contextlib.suppress(EdgeEmbedError):
                use()


def test_a_damaged_index_of_keys_never_leads_to_another_document(path):
    (key_index,) = (
        sqlite3.connect(path / "edgeembed.sqlite3")
        .execute("SELECT sql FROM sqlite_master WHERE name = 'doc_key'")
        .fetchone()
    )
    _edit(
        path,
        "DROP INDEX doc_key",
        "CREATE UNIQUE INDEX doc_key ON doc('x' || key) WHERE dead IS NULL",
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = '{key_index}' WHERE name = 'doc_key'",
    )
    with Index.open(path, mode="rw") as index:
        for use in (index.get, index.vectors, index.delete):
            with pytest.raises(IndexCorruptError, match="index of keys"):
                use("x7")
        assert len(index) == 301
        assert any("doc_key" in problem for problem in index.verify().problems)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("INSERT INTO fts(fts, rowid, words) VALUES ('delete', 8, 'text 7')", "keyword table"),
        ("INSERT INTO fts(rowid, title) VALUES (8, 'extra')", "keyword table"),
        ("INSERT INTO fts(rowid, words) VALUES (80000, 'text 7')", "keyword table"),
        ("UPDATE doc SET title = 'another' WHERE key = '7'", "'7': damaged"),
        ("UPDATE doc SET blank = 1 WHERE key = '7'", "length is not 0"),
        ("UPDATE meta SET v = v - 1 WHERE k = 'gen'", "generations that cannot be"),
        ("UPDATE doc SET born = 0, dead = 1 WHERE key = '3'", "dead document rows"),
    ],
)
def test_verify_finds_what_no_answer_shows(path, statement, problem):
    _edit(path, statement)
    with Index.open(path) as index:
        assert any(problem in found for found in index.verify().problems)


def test_a_document_without_a_text_is_no_damage_of_the_keyword_table(path, vectors):
    with Index.open(path, mode="rw") as index:
        index.upsert(["silent"], vectors=vectors(1))
        assert index.verify().ok


def test_a_keyword_table_of_newer_terms_is_named_as_such(path):
    _edit(path, "UPDATE meta SET v = v + 1 WHERE k = 'terms'")
    for mode in ("r", "rw"):
        with pytest.raises(IndexVersionError, match="keyword table made by a newer edgeembed"):
            Index.open(path, mode=mode)


def test_a_newer_format_is_named_as_such(path):
    _edit(path, "PRAGMA user_version = 3")
    with pytest.raises(IndexVersionError, match="newer edgeembed"):
        Index.open(path)


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_is_no_database_is_a_typed_error(path, content):
    (path / "edgeembed.sqlite3").write_bytes(content)
    with pytest.raises(IndexCorruptError):
        Index.open(path)


def test_a_foreign_database_is_left_alone(tmp_path):
    path = tmp_path / "i"
    path.mkdir()
    connection = sqlite3.connect(path / "edgeembed.sqlite3")
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE mine(x);")
    connection.close()
    before = (path / "edgeembed.sqlite3").read_bytes()
    for mode in ("r", "rw"):
        with pytest.raises(IndexCorruptError, match="not an edgeembed index"):
            Index.open(path, mode=mode)
    with pytest.raises(EdgeEmbedError):
        Index.create(path, dim=3)
    assert (path / "edgeembed.sqlite3").read_bytes() == before


def test_a_catalog_with_flipped_bytes_never_crashes(path, vectors):
    file = path / "edgeembed.sqlite3"
    sound = file.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        data = bytearray(sound)
        for position in rng.integers(0, len(data), size=20):
            data[position] ^= 1 << int(rng.integers(8))
        file.write_bytes(data)
        try:
            with Index.open(path, mode="rw") as index:
                index.verify()
                for hit in index.search(vectors(300)[3], 301):
                    assert hit.document in (f"text {hit.key}", "tail text")
        except EdgeEmbedError:
            pass


@pytest.mark.parametrize("target", ["edgeembed.sqlite3", "seg", "writer.lock"])
def test_links_are_not_followed(path, target):
    (path / target).rename(path / "elsewhere")
    (path / target).symlink_to(path / "elsewhere")
    with pytest.raises(IndexCorruptError):
        Index.open(path, mode="rw")
