"""A process that forks while threads write and read: no child hangs, and the parent goes on."""

import contextlib
import os
import signal
import threading
import time

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime._internal.forks import ForkedLock
from edgeembed_runtime.errors import EdgeEmbedError, IndexLockedError, SearchIndexError
from edgeembed_runtime.index.catalog import catalog as catalog_module

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
SETTINGS = IndexSettings(seal_rows=400)
_PATIENCE_S = 30


def _fork(child_does):
    """What a forked child does within its time: 0 if it returns, -9 if it hangs."""
    child = os.fork()
    if not child:
        try:
            child_does()
            os._exit(0)
        finally:
            os._exit(1)
    for _ in range(_PATIENCE_S * 100):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


@contextlib.contextmanager
def _busy(*actions):
    """Threads that do something over and over, and what went wrong there."""
    stop, errors = threading.Event(), []

    def work(action):
        while not stop.is_set():
            try:
                action()
            except Exception as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=work, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def index(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16, settings=SETTINGS) as index:
        index.upsert([str(i) for i in range(600)], vectors=vectors(600))
        yield index


def _refused(use):
    with pytest.raises(SearchIndexError, match="opened before a fork"):
        use()


def test_children_of_a_busy_parent_end_and_the_parent_loses_nothing(index, vectors):
    def writes():
        index.upsert([str(i) for i in range(100)], vectors=vectors(100, seed=1))

    def leaves():
        with index:
            pass

    def uses():
        _refused(lambda: index.search(np.ones(16)))
        _refused(index.refresh)
        _refused(index.notes)
        _refused(index.verify)
        _refused(index.compact)
        _refused(lambda: index.delete("1"))

    def reads_again():
        with Index.open(index.path) as mine:
            assert len(mine) == 600
            mine.search(np.ones(16))
        with pytest.raises(IndexLockedError):
            Index.open(index.path, mode="rw", lock_timeout_s=0)

    def forgets():
        index._catalog._connection = None
        index._writer._lock._connection = None

    children = (index.close, leaves, uses, reads_again, forgets)
    with _busy(writes, lambda: index.search(np.ones(16))) as errors:
        assert [_fork(child) for child in children * 2] == [0] * 2 * len(children)
    assert not errors
    with pytest.raises(IndexLockedError):
        Index.open(index.path, mode="rw", lock_timeout_s=0)
    assert index.verify().ok
    assert len(index) == 600


def test_two_threads_that_fork_at_once_do_not_confuse_each_other(index, vectors):
    codes = []
    with _busy(
        lambda: index.upsert(["1"], vectors=vectors(1)),
        *[lambda: codes.append(_fork(index.close))] * 2,
    ) as errors:
        deadline = time.monotonic() + _PATIENCE_S
        while len(codes) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not errors
    assert set(codes) == {0}
    index.upsert(["2"], vectors=vectors(1))
    assert index.verify().ok


def test_a_fork_does_not_wait_forever_for_a_transaction(index, monkeypatch):
    monkeypatch.setattr(catalog_module, "_FORK_WAIT_S", 0.05)
    begun, end = threading.Event(), threading.Event()

    def reads():
        with index._catalog.reading() as connection:
            connection.execute("SELECT * FROM doc").fetchone()
            begun.set()
            end.wait()

    def child():
        index.close()
        with pytest.raises(EdgeEmbedError, match="was forked while"):
            Index.open(index.path)

    thread = threading.Thread(target=reads)
    thread.start()
    begun.wait()
    assert _fork(child) == 0
    end.set()
    thread.join()
    assert index.delete("1") == 1


def test_a_fork_inside_a_transaction_leaves_its_end_to_the_parent(index):
    codes = []

    def child(transaction):
        with pytest.raises(SearchIndexError, match="before a fork"):
            transaction.__exit__(None, None, None)
        index.close()

    transaction = index._catalog.writing()
    connection, _ = transaction.__enter__()
    connection.execute("UPDATE doc SET dead = 2 WHERE key = '3'")
    codes.append(_fork(lambda: child(transaction)))
    transaction.__exit__(None, None, None)
    assert codes == [0]
    assert index.get("3") == [None]
    assert index.delete("4") == 1


def test_a_lock_that_a_thread_held_is_free_in_a_child():
    lock, taken, end = ForkedLock(), threading.Event(), threading.Event()

    def holds():
        with lock:
            taken.set()
            end.wait()

    def child():
        with lock:
            pass

    thread = threading.Thread(target=holds)
    thread.start()
    taken.wait()
    assert _fork(child) == 0
    end.set()
    thread.join()
    with lock:
        pass
