"""One cache in several threads, processes and forks."""

import os
import pickle
import subprocess
import sys
import threading

import pytest

from edgeembed_runtime.encoder.cache import EmbeddingCache

TEXTS = ["the cat", "a train", "", "東京", "running " * 40]


def run(code, *arguments, timeout):
    """A Python process of its own, when it has ended."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_processes_share_it_and_a_child_opens_its_own_connection(tmp_path, tiny_path):
    code = """if True:
        import os, sys
        from edgeembed import Encoder
        from edgeembed_runtime.encoder.cache import EmbeddingCache
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
    found = run(code, *arguments, timeout=60)
    assert found.stdout == "[0, 0, 0, 0] 201\n", found.stderr


def test_a_pickled_cache_is_the_same_file(cache, cached):
    cached.encode(TEXTS)
    copy = pickle.loads(pickle.dumps(cache))
    assert len(copy) == len(TEXTS)
    copy.close()
    with pickle.loads(pickle.dumps(cached)) as again:
        assert len(again._options.cache) == len(TEXTS)
        again._options.cache.close()


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
        from edgeembed_runtime.encoder.cache import EmbeddingCache
        cache = EmbeddingCache(sys.argv[1])
        child = os.fork()
        if not child:
            os._exit(0 if cache._connection is None and len(cache) == 0 else 9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(cache) == 0
        print("fine")
    """
    found = run(code, str(tmp_path / "c.sqlite"), timeout=60)
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
    found = run(code, *arguments, timeout=30)
    assert (found.stdout, found.stderr) == ("0 3\n", "")


def test_many_processes_may_make_the_same_new_cache(tmp_path):
    code = """if True:
        import sys
        from edgeembed_runtime.encoder.cache import EmbeddingCache
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
