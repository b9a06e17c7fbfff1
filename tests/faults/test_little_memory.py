"""Memory runs out in the middle: an error, a sound index, and the next attempt succeeds."""

import os
import pickle
import shutil
import signal
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import EdgeEmbedError
from faults.harness.contents import contents, same

resource = pytest.importorskip("resource", reason="limits of memory are POSIX's")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is not enforced elsewhere"),
]
DIM, ROWS = 256, 4_000
SETTINGS = IndexSettings(seal_rows=1_500, backend="exact")
# More than any of the operations needs, in bytes.
ENOUGH = 128 << 20


def rows_of(seed, count):
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)


def fill(index, seed=0, count=ROWS):
    keys = [f"{seed}:{row}" for row in range(count)]
    index.upsert(keys, documents=[f"document {key}" for key in keys], vectors=rows_of(seed, count))


def search(path):
    with Index.open(path) as index:
        return [hit.key for hit in index.search(rows_of(5, 1)[0], 10)]


def upsert(path):
    with Index.open(path, mode="rw", settings=SETTINGS) as index:
        fill(index, seed=1, count=2_000)


def compact(path):
    with Index.open(path, mode="rw", settings=SETTINGS) as index:
        index.compact()


def verify(path):
    with Index.open(path) as index:
        return index.verify().ok


OPERATIONS = {"search": search, "upsert": upsert, "compact": compact, "verify": verify}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("memory") / "i"
    with Index.create(path, dim=DIM, settings=SETTINGS) as index:
        fill(index)
    return path


def in_child(operation, path, spare):
    """Run an operation in a fork that may take `spare` bytes more; (what it returned, its error).

    Raises:
        AssertionError: the child was killed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer = (None, "lost")
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + spare
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            answer = (operation(path), None)
        except (MemoryError, EdgeEmbedError) as error:
            answer = (None, type(error).__name__)
        except BaseException:
            answer = (None, f"untyped {traceback.format_exc()}")
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            os.write(writing, pickle.dumps(answer))
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), signal.Signals(os.WTERMSIG(status))
    return pickle.loads(data)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_error_and_a_sound_index(name, filled, tmp_path, size, counts):
    operation = OPERATIONS[name]
    path = tmp_path / "i"
    shutil.copytree(filled, path)
    expected, error = in_child(operation, path, ENOUGH)
    assert error is None
    with Index.open(path) as index:
        after = contents(index)
    with Index.open(filled) as index:
        before = contents(index)
    failed = 0
    for step in range(size.memory_steps):
        shutil.rmtree(path)
        shutil.copytree(filled, path)
        found, error = in_child(operation, path, int(ENOUGH * (step / size.memory_steps) ** 3))
        counts["operations with too little memory"] += error is not None
        failed += error is not None
        assert error is None or not error.startswith("untyped"), (step, error)
        assert error is not None or found == expected
        with Index.open(path) as index:
            held = contents(index)
            assert index.verify().ok
        assert same(held, after) or same(held, before)
        assert operation(path) == expected
    assert failed
