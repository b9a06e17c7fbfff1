"""Caches that are damaged, locked, full or somebody else's: no wrong vector, none lost."""

import sqlite3
import threading
import time

import numpy as np
import pytest

from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import EdgeEmbedError, InputError

TEXTS = ["the cat", "a train", "", "東京", "running " * 40]


def test_a_damaged_vector_is_a_miss(cache, cached, plain):
    expected = plain.encode(TEXTS).tobytes()
    cached.encode(TEXTS)
    cache.close()
    with sqlite3.connect(cache.path) as connection:
        rows = connection.execute("SELECT key, vector FROM vectors").fetchall()
        for key, vector in rows:
            flipped = bytes([vector[0] ^ 1]) + vector[1:]
            connection.execute("UPDATE vectors SET vector = ? WHERE key = ?", (flipped, key))
    connection.close()
    assert cached.encode(TEXTS).tobytes() == expected


@pytest.mark.parametrize("content", [b"garbage" * 500, b"SQLite format 3\0" + b"x" * 5000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(EdgeEmbedError, match=r"mine.txt: could not open it: .*choose another"):
        EmbeddingCache(path)
    assert path.read_bytes() == content


def test_somebody_else_s_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE vectors (mine)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="expected an edgeembed cache, got another database"):
        EmbeddingCache(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [0, -1, 1.5, "9", True])
def test_a_size_that_cannot_be_is_an_input_error(tmp_path, size):
    with pytest.raises(InputError, match="max_mb: expected 1 or more"):
        EmbeddingCache(tmp_path / "c", max_mb=size)


def test_a_place_that_cannot_be_written_is_an_error_at_once(tmp_path):
    with pytest.raises(EdgeEmbedError, match="could not open it"):
        EmbeddingCache(tmp_path / "no such folder" / "c.sqlite")


def test_a_locked_or_vanished_table_costs_no_result(cache, cached, plain, caplog):
    cached.encode(TEXTS)
    cache._connection.execute("DROP TABLE vectors")
    found = cached.encode([*TEXTS, "one more"])
    assert found.tobytes() == plain.encode([*TEXTS, "one more"]).tobytes()
    assert "not read: no such table" in caplog.text
    assert len(caplog.records) == 1  # said once, not for every 32 texts


def other_program(cache):
    """Another program's connection to the same file."""
    return sqlite3.connect(cache.path, isolation_level=None, check_same_thread=False)


def test_a_writer_elsewhere_keeps_nobody_from_reading(cache, cached, plain, caplog):
    expected = plain.encode(TEXTS).tobytes()
    cached.encode(TEXTS)
    writer = other_program(cache)
    writer.execute("BEGIN EXCLUSIVE")
    writer.execute("DELETE FROM vectors")
    assert cached.encode(TEXTS).tobytes() == expected
    assert caplog.text == ""
    writer.execute("ROLLBACK")
    writer.close()


def test_a_writer_elsewhere_is_waited_for(cache, cached):
    cached.encode("before")
    writer = other_program(cache)
    writer.execute("BEGIN IMMEDIATE")
    end = threading.Timer(0.2, writer.execute, ["COMMIT"])
    end.start()
    cached.encode(["now"])
    end.join()
    writer.close()
    assert len(cache) == 2


def test_a_cache_that_stays_locked_costs_no_result_and_little_time(cache, cached, plain, caplog):
    cached.encode(TEXTS)
    writer = other_program(cache)
    writer.execute("BEGIN EXCLUSIVE")
    began = time.perf_counter()
    found = cached.encode([*TEXTS, "new"])
    assert time.perf_counter() - began < 10
    writer.execute("ROLLBACK")
    writer.close()
    assert found.tobytes() == plain.encode([*TEXTS, "new"]).tobytes()
    assert "not written: database is locked" in caplog.text
    cached.encode(["new"])
    assert len(cache) == len(TEXTS) + 1


def test_a_cache_that_may_only_be_read_is_read(cache, cached, plain, caplog):
    cached.encode(TEXTS)
    cache._connection.execute("PRAGMA query_only = ON")
    found = cached.encode([*TEXTS, "new"])
    assert found.tobytes() == plain.encode([*TEXTS, "new"]).tobytes()
    assert "not written" in caplog.text
    assert "not read" not in caplog.text
    assert len(cache) == len(TEXTS)


def test_an_empty_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 77")
        connection.execute("VACUUM")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="got another database"):
        EmbeddingCache(path)
    assert path.read_bytes() == before


def test_clearing_a_locked_cache_is_a_typed_error(cache):
    other = sqlite3.connect(cache.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(EdgeEmbedError, match="could not clear it: database is locked"):
            cache.clear()
    finally:
        other.close()


def test_what_is_no_cache_is_refused_when_loading(tiny_path):
    with pytest.raises(InputError, match="cache: expected an EmbeddingCache, got 'vec"):
        Encoder.load(tiny_path, cache="vectors.sqlite")  # pyright: ignore[reportArgumentType]


def test_a_key_that_points_to_another_row_never_gives_that_rows_vector(cache, cached, plain):
    cached.encode(["beta", "gamma"])
    rows = cache._connection.execute("SELECT key, vector, crc32 FROM vectors").fetchall()
    (key, _, _), (_, vector, checksum) = rows
    cache._connection.execute(
        "UPDATE vectors SET vector = ?, crc32 = ? WHERE key = ?", (vector, checksum, key)
    )
    cache._connection.commit()
    found = cached.encode(["beta", "gamma"])
    np.testing.assert_array_equal(found, plain.encode(["beta", "gamma"]))


@pytest.mark.parametrize("value", [None, 7, 1.5, "text", b"", b"abc"])
def test_a_value_of_another_type_counts_as_missing(tmp_path, tiny_path, plain, value):
    cache = EmbeddingCache(tmp_path / "odd.sqlite")
    with Encoder.load(tiny_path, variant="int8", cache=cache) as encoder:
        encoder.encode(["beta"])
        # As damage may leave it, whatever the schema says.
        cache._connection.executescript(
            "CREATE TABLE odd AS SELECT * FROM vectors; DROP TABLE vectors;"
            "ALTER TABLE odd RENAME TO vectors;"
        )
        cache._connection.execute("UPDATE vectors SET vector = ?", (value,))
        cache._connection.commit()
        np.testing.assert_array_equal(encoder.encode(["beta"]), plain.encode(["beta"]))


@pytest.mark.slow
def test_a_damaged_cache_never_changes_a_result_and_never_raises(tmp_path, tiny_path, plain):
    texts = [f"text {n}" for n in range(60)]
    expected = plain.encode(texts)
    path = tmp_path / "whole.sqlite"
    cache = EmbeddingCache(path)
    with Encoder.load(tiny_path, variant="int8", cache=cache) as encoder:
        encoder.encode(texts)
    cache.close()
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for number in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 1 + number % 20):
            damaged[place] = rng.integers(0, 256)
        file = tmp_path / f"damaged-{number}.sqlite"
        file.write_bytes(damaged)
        try:
            cache = EmbeddingCache(file)
        except EdgeEmbedError:
            continue
        with Encoder.load(tiny_path, variant="int8", cache=cache) as encoder:
            np.testing.assert_array_equal(encoder.encode(texts), expected)
        cache.close()


def test_a_cache_that_may_not_be_written_is_read(tmp_path, tiny_path, plain, monkeypatch):
    path = tmp_path / "fixed.sqlite"
    cache = EmbeddingCache(path)
    with Encoder.load(tiny_path, variant="int8", cache=cache) as encoder:
        encoder.encode(["beta", "gamma"])
    cache.close()
    connect = sqlite3.connect

    def refused(name, **options):
        """As on a file system that is mounted read-only; these tests may be run by root."""
        if not options.get("uri"):
            error = sqlite3.OperationalError("attempt to write a readonly database")
            error.sqlite_errorname = "SQLITE_READONLY"
            raise error
        return connect(name, **options)

    monkeypatch.setattr(sqlite3, "connect", refused)
    again = EmbeddingCache(path)
    assert len(again) == 2
    with Encoder.load(tiny_path, variant="int8", cache=again) as encoder:
        found = encoder.encode(["beta", "delta"])
    np.testing.assert_array_equal(found, plain.encode(["beta", "delta"]))
    again.close()


def test_a_path_that_is_none_is_an_input_error():
    with pytest.raises(InputError, match="path: expected a path, got None"):
        EmbeddingCache(None)  # pyright: ignore[reportArgumentType]
