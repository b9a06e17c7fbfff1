"""One encoder in many threads and processes: forked, spawned, pickled, closed."""

import concurrent.futures
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import BundleNotFoundError, EdgeEmbedError

TEXTS = ["the cat sat", "", "running " * 40, "東京 naïve", "a train leaves"] * 4
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def vectors_of(encoder):
    """Both ways of encoding, as bytes."""
    return encoder.encode(TEXTS).tobytes(), encoder.encode(TEXTS[2]).tobytes()


def run(code, *arguments, timeout=60):
    """Run a script that must end by itself and print "fine"."""
    result = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            textwrap.dedent(code),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.stdout.strip().endswith("fine"), result.stdout + result.stderr


def test_a_pickled_encoder_is_loaded_again_with_its_options(tiny_path):
    options = {"variant": "fp32", "threads": 3, "profile": "background"}
    with Encoder.load(tiny_path, **options) as made:
        copy = pickle.loads(pickle.dumps(made))
        assert (copy.variant, copy.threads) == ("fp32", 3)
        assert {name: getattr(copy._options, name) for name in options} == options
        assert vectors_of(copy) == vectors_of(made)
        made.close()
        assert copy.encode("still there").shape == (16,)
        copy.close()


def test_a_pickle_remembers_the_place_not_the_working_directory(tiny_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_path.parent)
    with Encoder.load(tiny_path.name) as made:
        data = pickle.dumps(made)
    monkeypatch.chdir(tmp_path)
    with pickle.loads(data) as copy:
        assert copy.encode("a").shape == (16,)


def test_a_pickle_whose_bundle_is_gone_says_so(own_bundle):
    with Encoder.load(own_bundle) as made:
        data = pickle.dumps(made)
    own_bundle.rename(own_bundle.with_name("moved"))
    with pytest.raises(BundleNotFoundError, match="expected a directory, got nothing"):
        pickle.loads(data)


def test_sixteen_threads_on_one_encoder_get_identical_bytes(tiny_path):
    with Encoder.load(tiny_path) as made:
        expected = vectors_of(made)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda _: vectors_of(made), range(64)))
    assert set(found) == {expected}


FORK = """
    import os, sys, threading
    from edgeembed import Encoder

    encoder = Encoder.load(sys.argv[1], threads=2)
    texts = ["the cat", "a train", ""] * 9
    expected = encoder.encode(texts).tobytes(), encoder.encode("the cat").tobytes()
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            encoder.encode(texts)
    others = [threading.Thread(target=busy) for _ in range(int(sys.argv[2]))]
    for other in others:
        other.start()
    children = []
    for _ in range(5):
        child = os.fork()
        if not child:
            found = encoder.encode(texts).tobytes(), encoder.encode("the cat").tobytes()
            encoder.close()
            sys.exit(0 if found == expected else 9)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    stop.set()
    for other in others:
        other.join()
    assert codes == [0] * 5, codes
    assert encoder.encode(texts).tobytes() == expected[0]
    print("fine")
"""


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("busy_threads", ["0", "3"])
def test_forked_children_encode_and_end_whatever_the_parent_was_doing(tiny_path, busy_threads):
    run(FORK, str(tiny_path), busy_threads)


@needs_fork
def test_a_child_whose_parent_closed_before_the_fork_says_that_it_is_closed(tiny_path):
    code = """
        import os, sys
        from edgeembed import EdgeEmbedError, Encoder
        encoder = Encoder.load(sys.argv[1])
        encoder.close()
        if not os.fork():
            try:
                encoder.encode("a")
            except EdgeEmbedError as error:
                os._exit(0 if "closed" in str(error) else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        print("fine")
    """
    run(code, str(tiny_path))


@needs_fork
def test_a_child_never_waits_for_a_lock_that_was_held_while_forking(tiny_path):
    code = """
        import os, sys
        from edgeembed import Encoder
        encoder = Encoder.load(sys.argv[1])
        with encoder._text._lock:
            child = os.fork()
            if not child:
                os._exit(0 if encoder.encode("a").shape == (16,) else 9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        print("fine")
    """
    run(code, str(tiny_path), timeout=30)


@needs_fork
def test_closing_in_the_parent_does_not_disturb_a_child_nor_the_other_way_round(tiny_path):
    code = """
        import os, sys
        from edgeembed import Encoder
        encoder = Encoder.load(sys.argv[1])
        expected = encoder.encode(["the cat", "a"]).tobytes()
        def fork(child_does):
            told, tell = os.pipe()
            child = os.fork()
            if not child:
                os.close(tell)
                os.read(told, 1)
                child_does()
                os._exit(0)
            os.close(told)
            return child, tell
        def encodes():
            for _ in range(2):
                assert encoder.encode(["the cat", "a"]).tobytes() == expected
        def end(child, tell):
            os.close(tell)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        end(*fork(encoder.close))
        encodes()
        child = fork(encodes)
        encoder.close()
        end(*child)
        print("fine")
    """
    run(code, str(tiny_path), timeout=30)


@needs_fork
def test_grandchildren_encode_too(tiny_path):
    code = """
        import os, sys
        from edgeembed import Encoder
        encoder = Encoder.load(sys.argv[1])
        expected = encoder.encode(["the cat"] * 3).tobytes()
        for generation in range(3):
            assert encoder.encode(["the cat"] * 3).tobytes() == expected
            child = os.fork()
            if child:
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                if generation:
                    os._exit(code)
                assert code == 0
                print("fine")
                break
        else:
            os._exit(0 if encoder.encode(["the cat"] * 3).tobytes() == expected else 9)
    """
    run(code, str(tiny_path), timeout=30)


@needs_fork
def test_a_forked_pool_encodes_with_the_encoder_it_inherits(tiny_path):
    code = """
        import multiprocessing, sys
        from edgeembed import Encoder
        encoder = Encoder.load(sys.argv[1], threads=2)
        texts = ["the cat", "", "a train leaves"] * 5
        expected = encoder.encode(texts)
        def one(text):
            return encoder.encode(text).tobytes(), encoder.encode([text, "b"])[0].tobytes()
        with multiprocessing.get_context("fork").Pool(3) as pool:
            found = pool.map(one, texts)
        assert found == [(row.tobytes(),) * 2 for row in expected]
        print("fine")
    """
    run(code, str(tiny_path))


def test_a_closed_encoder_is_pickled_as_the_place_it_was_loaded_from(tiny_path):
    made = Encoder.load(tiny_path, variant="fp32")
    expected = vectors_of(made)
    made.close()
    with pickle.loads(pickle.dumps(made)) as copy:
        assert vectors_of(copy) == expected
    with pytest.raises(EdgeEmbedError, match="closed"):
        made.encode("a")


def _encode(pair):
    encoder, text = pair
    return encoder.encode(text)


def test_a_spawned_pool_encodes_with_the_encoder_it_was_sent(tiny_path):
    with (
        Encoder.load(tiny_path, threads=1) as made,
        multiprocessing.get_context("spawn").Pool(2) as pool,
    ):
        found = pool.map(_encode, [(made, text) for text in TEXTS[:4]])
        np.testing.assert_array_equal(np.stack(found), made.encode(TEXTS[:4]))


def test_closing_while_others_encode_is_an_error_for_them_and_no_crash(tiny_path):
    code = """
        import sys, threading, time
        from edgeembed import EdgeEmbedError, Encoder
        encoder = Encoder.load(sys.argv[1], threads=2)
        problems = []
        def work():
            try:
                while True:
                    encoder.encode(["a text", "another"] * 50)
                    encoder.encode("one")
            except EdgeEmbedError as error:
                if "closed" not in str(error):
                    problems.append(error)
            except BaseException as error:
                problems.append(error)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        time.sleep(0.2)
        encoder.close()
        for thread in threads: thread.join()
        assert not problems, problems
        print("fine")
    """
    run(code, str(tiny_path))


def test_importing_starts_no_thread_and_changes_no_environment_variable():
    code = """
        import os, threading
        before = dict(os.environ)
        import edgeembed, edgeembed_runtime.encoder.encoder, edgeembed_runtime.index
        from edgeembed import Encoder, Index
        assert dict(os.environ) == before
        assert threading.active_count() == 1
        print("fine")
    """
    run(code)


def test_closing_ends_every_thread(tiny_path):
    before = set(threading.enumerate())
    made = Encoder.load(tiny_path, threads=3)
    made.encode(TEXTS)
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert any(name.startswith("edgeembed") for name in names)
    made.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads by /proc")
@pytest.mark.parametrize("own_setting", [None, "0"])
def test_onnxruntime_starts_no_thread_that_reports_home(tiny_path, own_setting):
    code = """
        import os, sys
        from edgeembed import Encoder
        encoder = Encoder.load(sys.argv[1], threads=1)
        assert len(os.listdir("/proc/self/task")) == 1
        assert os.environ.get("ORT_DISABLE_TELEMETRY") == (sys.argv[2] or None)
        print("fine")
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        if own_setting:
            patch.setenv("ORT_DISABLE_TELEMETRY", own_setting)
        run(code, str(tiny_path), own_setting or "")


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("what", ["next(stream)", "del stream", "sys.exit(0)"])
def test_a_stream_that_a_child_inherits_never_hangs(tiny_path, what):
    code = f"""if True:
        import os, sys
        from edgeembed import EdgeEmbedError, Encoder
        encoder = Encoder.load(sys.argv[1], threads=2)
        stream = encoder.encode_iter(f"text {{n}}" for n in range(1000))
        next(stream)
        child = os.fork()
        if not child:
            try:
                {what}
            except EdgeEmbedError as error:
                assert "belongs to the parent process" in str(error)
            encoder.encode(["a", "b"])
            sys.exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(code, len(list(stream)))
    """
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tiny_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stdout == "0 999\n", found.stderr
