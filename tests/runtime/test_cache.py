"""The embedding cache: never a wrong vector, never a lost result, never too large."""

import itertools
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tiny_bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeembed_runtime.cache import EmbeddingCache
from edgeembed_runtime.encoder import Encoder
from edgeembed_runtime.errors import EdgeEmbedError, InputError, TruncationWarning

TEXTS = ["the cat", "a train", "", "東京", "running " * 40]


@pytest.fixture
def cache(tmp_path):
    made = EmbeddingCache(tmp_path / "vectors.sqlite")
    yield made
    made.close()


@pytest.fixture
def cached(tiny_path, cache):
    with Encoder.load(tiny_path, cache=cache) as made:
        yield made


@pytest.fixture
def plain(tiny_path):
    with Encoder.load(tiny_path) as made:
        yield made


def runs_of(encoder, monkeypatch):
    """The texts that the model is run on from now on."""
    engine, seen = encoder._engine.get(), []
    real = engine.encode_many

    def watched(texts, on_cut):
        return real((seen.append(item[1]) or item for item in texts), on_cut)

    monkeypatch.setattr(engine, "encode_many", watched)
    return seen


@given(lists=st.lists(st.lists(st.sampled_from([*TEXTS, "b", "c"])), min_size=1, max_size=4))
def test_hits_and_misses_give_the_same_bytes(cached, plain, lists):
    for texts in lists:
        expected = plain.encode(texts).tobytes()
        assert cached.encode(texts).tobytes() == expected
        assert b"".join(v.tobytes() for v in cached.encode_iter(texts)) == expected
        for text in texts:
            assert cached.encode(text).tobytes() == plain.encode(text).tobytes()


def test_a_text_is_run_once_and_remembered_by_the_next_encoder(tiny_path, cached, monkeypatch):
    cached.encode(TEXTS)
    with Encoder.load(tiny_path, cache=cached._options.cache) as later:
        seen = runs_of(later, monkeypatch)
        later.encode(TEXTS)
        later.encode(TEXTS[1])
        assert seen == []
        later.encode(["new", *TEXTS])
        assert seen == ["new"]


def test_a_prompt_makes_another_text(cached, plain):
    for prompt in ("", "query: ", ""):
        found = cached.encode("the cat", prompt=prompt)
        assert found.tobytes() == plain.encode("the cat", prompt=prompt).tobytes()


def test_another_variant_or_model_never_gets_them(tmp_path, tiny_path, cache):
    other = tiny_bundle.write_tiny_bundle(tmp_path / "other", space="another")
    with (
        Encoder.load(tiny_path, variant="fp32", cache=cache) as fp32,
        Encoder.load(tiny_path, variant="int8", cache=cache) as int8,
        Encoder.load(other, variant="fp32", cache=cache) as another,
    ):
        assert fp32.encode(TEXTS).tobytes() != int8.encode(TEXTS).tobytes()
        another.encode(TEXTS)
    assert len(cache) == 3 * len(TEXTS)


def test_it_stays_within_its_size_and_the_oldest_leave(tmp_path, tiny_path):
    cache = EmbeddingCache(tmp_path / "small.sqlite", max_mb=1)
    with Encoder.load(tiny_path, cache=cache) as made:
        made.encode("the very first")
        for start in range(0, 9000, 1000):
            made.encode([f"text {number}" for number in range(start, start + 1000)])
        held = len(cache)
        with pytest.MonkeyPatch.context() as patch:
            seen = runs_of(made, patch)
            made.encode(["text 8999", "the very first"])
        assert seen == ["the very first"]
    cache.close()
    assert 3500 < held < 9000
    assert (tmp_path / "small.sqlite").stat().st_size < 1.5 * (1 << 20)


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
    with pytest.raises(InputError, match="expected a cache of edgeembed, got another database"):
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


def test_clear_forgets_everything(cache, cached):
    cached.encode(TEXTS)
    cache.clear()
    assert len(cache) == 0


def test_a_closed_cache_opens_again_when_it_is_needed(cache, cached):
    cached.encode(TEXTS)
    cache.close()
    assert len(cache) == len(TEXTS)


def test_a_pickled_cache_is_the_same_file(cache, cached):
    cached.encode(TEXTS)
    copy = pickle.loads(pickle.dumps(cache))
    assert len(copy) == len(TEXTS)
    copy.close()
    with pickle.loads(pickle.dumps(cached)) as again:
        assert len(again._options.cache) == len(TEXTS)
        again._options.cache.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_processes_share_it_and_a_child_opens_its_own_connection(tmp_path, tiny_path):
    code = """if True:
        import os, sys
        from edgeembed import Encoder
        from edgeembed_runtime.cache import EmbeddingCache
        cache = EmbeddingCache(sys.argv[2])
        encoder = Encoder.load(sys.argv[1], cache=cache)
        encoder.encode("before")
        children = []
        for name in "abcd":
            child = os.fork()
            if not child:
                for number in range(50):
                    encoder.encode(f"{name} {number}")
                os._exit(0 if len(cache) > 50 else 9)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(codes, len(cache))
    """
    arguments = [str(tiny_path), str(tmp_path / "shared.sqlite")]
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stdout == "[0, 0, 0, 0] 201\n", found.stderr


def test_with_a_policy_a_long_text_is_noticed_even_if_it_is_known(cached):
    long = "the cat " * 60
    cached.encode([long])
    with pytest.raises(InputError, match=r"inputs\[0\]: text: expected at most 32 tokens"):
        cached.encode([long], truncation="error")
    with pytest.warns(TruncationWarning, match="1 text was cut to 32"):
        cached.encode([long], truncation="warn")


def test_vectors_before_a_bad_text_are_given_and_kept(cache, cached):
    results = cached.encode_iter(["one", "two", "\ud800", "three"])
    assert len(list(itertools.islice(results, 2))) == 2
    with pytest.raises(InputError, match=r"inputs\[2\]: text: expected valid Unicode"):
        next(results)
    assert len(cache) == 2


def test_positions_are_of_all_inputs_even_if_most_are_known(cached):
    cached.encode([f"text {number}" for number in range(300)])
    texts = [f"text {number}" for number in range(300)] + ["new", "\ud800"]
    with pytest.raises(InputError, match=r"inputs\[301\]:"):
        cached.encode(texts)


def test_chunks_of_a_long_text_go_through_it(cached, plain):
    long = "the cat sat on the mat. " * 40
    for _ in range(2):
        np.testing.assert_array_equal(
            cached.encode(long, chunk=True), plain.encode(long, chunk=True)
        )


def test_a_full_cache_forgets_little_at_once(tmp_path, tiny_path):
    cache = EmbeddingCache(tmp_path / "small.sqlite", max_mb=1)
    held = []
    with Encoder.load(tiny_path, cache=cache) as made:
        for start in range(0, 12_000, 250):
            made.encode([f"text {number}" for number in range(start, start + 250)])
            held.append(len(cache))
    cache.close()
    full = held[held.index(max(held)) :]
    assert len(full) > 10
    assert min(full) > 0.8 * max(full)


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


def test_a_pickled_cache_keeps_its_size(tmp_path):
    cache = EmbeddingCache(tmp_path / "c.sqlite", max_mb=7)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.path, copy.max_mb) == (cache.path, 7)
    for made in (cache, copy):
        made.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_never_uses_its_parent_s_connection(tmp_path):
    code = """if True:
        import os, sys
        from edgeembed_runtime.cache import EmbeddingCache
        cache = EmbeddingCache(sys.argv[1])
        child = os.fork()
        if not child:
            os._exit(0 if cache._connection is None and len(cache) == 0 else 9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(cache) == 0
        print("fine")
    """
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "c.sqlite")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stdout == "fine\n", found.stderr


def test_threads_share_it(cached, plain):
    many = [f"text {number % 90}" for number in range(900)]
    expected = plain.encode(many).tobytes()
    found = []
    users = [threading.Thread(target=lambda: found.append(cached.encode(many))) for _ in range(6)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert [rows.tobytes() for rows in found] == [expected] * 6


@settings(max_examples=30)
@given(known=st.sets(st.integers(0, 11)), bad=st.integers(0, 11))
def test_a_bad_text_among_known_ones_is_named_by_its_place_and_work_before_it_is_kept(
    tiny_path, tmp_path, known, bad
):
    name = f"{bad}-{'-'.join(map(str, sorted(known)))}.sqlite"
    cache = EmbeddingCache(tmp_path / name)
    texts = [f"text {number}" for number in range(12)]
    with Encoder.load(tiny_path, cache=cache) as made:
        made.encode([texts[at] for at in sorted(known)])
        texts[bad] = "\ud800"
        with pytest.raises(InputError, match=rf"inputs\[{bad}\]: text: expected valid Unicode"):
            made.encode(texts)
    assert len(cache) == len(known | set(range(bad)))
    cache.close()


def test_what_a_caller_does_to_a_vector_never_gets_into_the_cache(cached, plain):
    for vector in cached.encode_iter(["a", "b"]):
        vector *= 2
    assert cached.encode(["a", "b"]).tobytes() == plain.encode(["a", "b"]).tobytes()


def test_equal_texts_of_a_stream_have_vectors_of_their_own(cached):
    first, second = cached.encode_iter(["same", "same"])
    first *= 2
    assert not np.array_equal(first, second)


def test_a_hit_may_be_written_to_like_a_miss(cached):
    for _ in range(2):
        cached.encode("a")[0] = 1
        next(cached.encode_iter(["a"]))[0] = 1


def test_vectors_before_a_bad_item_are_given(cached):
    results = cached.encode_iter(["one", None])
    assert next(results).shape == (16,)
    with pytest.raises(InputError, match=r"inputs\[1\]"):
        next(results)


def test_a_stream_is_read_only_a_little_ahead(cached):
    read = itertools.count()
    next(cached.encode_iter(f"text {next(read)}" for _ in itertools.count()))
    assert next(read) <= 50


def test_the_first_of_equal_bad_texts_is_named(cached):
    with pytest.raises(InputError, match=r"inputs\[0\]"):
        list(cached.encode_iter(["\ud800", "a", "\ud800"]))


def test_a_bad_text_alone_has_no_position(cached, plain):
    messages = []
    for encoder in (cached, plain):
        with pytest.raises(InputError) as caught:
            encoder.encode("\ud800")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_while_another_thread_writes_leaves_both_sides_a_working_cache(tmp_path, tiny_path):
    code = """if True:
        import logging, os, sys, threading, time
        from edgeembed import EmbeddingCache, Encoder
        logging.basicConfig(stream=sys.stderr)
        cache = EmbeddingCache(sys.argv[2])
        encoder = Encoder.load(sys.argv[1], cache=cache)
        writing = threading.Event()

        def write():
            with cache._lock, cache._open() as connection:
                connection.execute("BEGIN IMMEDIATE")
                writing.set()
                time.sleep(0.3)

        writer = threading.Thread(target=write)
        writer.start()
        writing.wait()
        child = os.fork()
        encoder.encode(["a", "b" if child else "c"])
        if not child:
            os._exit(0)
        writer.join()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(cache))
    """
    arguments = [str(tiny_path), str(tmp_path / "forked.sqlite")]
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("0 3\n", "")


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
        Encoder.load(tiny_path, cache="vectors.sqlite")


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


def test_many_processes_may_make_the_same_new_cache(tmp_path):
    code = """if True:
        import sys
        from edgeembed_runtime.cache import EmbeddingCache
        sys.stdin.read()
        for number in range(20):
            len(EmbeddingCache(f"{sys.argv[1]}/{number}.sqlite"))
    """
    makers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for maker in makers:
        maker.stdin.close()
    errors = [maker.stderr.read() for maker in makers]
    codes = [maker.wait() for maker in makers]
    for maker in makers:
        maker.stderr.close()
    assert codes == [0] * 4, errors


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


def test_a_relative_path_stays_the_same_file_wherever_the_process_goes(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    cache = EmbeddingCache("rel.sqlite")
    cache.close()
    monkeypatch.chdir(tmp_path / "elsewhere")
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.path == cache.path == tmp_path / "rel.sqlite"
    assert len(cache) == 0
    cache.close()
    copy.close()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_path_that_is_none_is_an_input_error():
    with pytest.raises(InputError, match="path: expected a path, got None"):
        EmbeddingCache(None)
