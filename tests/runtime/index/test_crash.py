"""What a crash, a full disk, or a second writer can and cannot do."""

import errno
import sqlite3
import threading
import time

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexLockedError, StorageError
from edgeembed_runtime.index.catalog.catalog import Catalog

TINY = IndexSettings(seal_rows=40, backend="exact")

WRITER = """
import sys
import numpy as np
from edgeembed import Index, IndexSettings
settings = IndexSettings(seal_rows=40, backend="exact")
with Index.open(sys.argv[1], mode="rw", lock_timeout_s=5, settings=settings) as index:
    print("ready", flush=True)
    batch = int(sys.argv[2])
    while True:
        rng = np.random.default_rng(batch)
        keys = [f"{batch}:{i}" for i in range(7)] + ["shared"]
        texts = [f"batch {batch}"] * 8
        index.upsert(keys, documents=texts, vectors=rng.normal(size=(8, 8)))
        print(batch, flush=True)
        batch += 1
"""


def test_the_lock_is_free_after_its_holder_was_killed(tmp_path, start_python):
    path = tmp_path / "i"
    Index.create(path, dim=8).close()
    child = start_python(WRITER, path, 0)
    assert child.stdout.readline() == "ready\n"
    waits = []
    for _ in range(3):  # one of them undisturbed, on a busy machine too
        started = time.perf_counter()
        with pytest.raises(IndexLockedError, match="mode='r'"):
            Index.open(path, mode="rw", lock_timeout_s=0.1)
        waits.append(time.perf_counter() - started)
    assert min(waits) < 1
    Index.open(path).close()  # readers are welcome
    child.kill()
    child.communicate()
    Index.open(path, mode="rw").close()


def test_a_second_writer_is_refused_within_one_process_too(tmp_path):
    with Index.create(tmp_path / "i", dim=8), pytest.raises(IndexLockedError):
        Index.open(tmp_path / "i", mode="rw", lock_timeout_s=0)
    Index.open(tmp_path / "i", mode="rw").close()


def _fill(index, n, seed=0):
    index.upsert(
        [f"k{i}" for i in range(n)], vectors=np.random.default_rng(seed).normal(size=(n, 8))
    )


@pytest.mark.parametrize("error", [OSError(errno.EIO, "boom"), KeyboardInterrupt()])
def test_a_crash_before_the_commit_leaves_the_old_generation(tmp_path, monkeypatch, error):
    path = tmp_path / "i"
    with Index.create(path, dim=8, settings=TINY) as index:
        _fill(index, 60)
        before, names = index.generation, sorted(p.name for p in (path / "seg").iterdir())
        index.upsert(["tail"], vectors=np.ones((1, 8)))

        def fail(self):
            raise error

        monkeypatch.setattr("edgeembed_runtime.index.write.compaction.collect", lambda *_: None)
        monkeypatch.setattr(
            "edgeembed_runtime.index.write.compaction._insert", lambda *_: fail(None)
        )
        with pytest.raises(type(error)):
            index.compact()
        assert index.generation == before + 1
        assert len(list((path / "seg").iterdir())) == 2 * len(names)
        assert index.verify().ok
        monkeypatch.undo()
    with Index.open(path, mode="rw") as index:  # orphans are collected
        assert sorted(p.name for p in (path / "seg").iterdir()) == names
        assert len(index) == 61


def test_a_failing_commit_changes_nothing(tmp_path, monkeypatch):
    with Index.create(tmp_path / "i", dim=8, settings=TINY) as index:
        _fill(index, 10)

        def fail(self):
            raise sqlite3.OperationalError("disk I/O error")

        with monkeypatch.context() as patch:
            patch.setattr(Catalog, "commit", fail)
            with pytest.raises(Exception, match="disk I/O error"):
                _fill(index, 30, seed=1)
        assert len(index) == 10
        assert index.verify().ok
        _fill(index, 30, seed=1)
        assert len(index) == 30


def test_a_full_disk_while_sealing_keeps_acknowledged_rows(tmp_path, monkeypatch, caplog):
    def full(path, *_):
        path.write_bytes(b"part")
        with storage.storage_errors("write", path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with Index.create(tmp_path / "i", dim=8, settings=TINY) as index:
        with monkeypatch.context() as patch:
            patch.setattr(storage, "write_file", full)
            patch.setattr(storage, "write_stream", full)
            _fill(index, 50)
            assert "sealing failed" in caplog.text
            assert "disk is full" in caplog.text
            assert index.stats().tail_rows == 50
            assert len(index.search(np.ones(8), 100)) == 50
            with pytest.raises(StorageError, match="disk is full"):
                index.compact()
        assert list((tmp_path / "i" / "seg").iterdir()) == []
        assert index.verify().ok
        index.upsert(["next"], vectors=np.ones((1, 8)))
        assert index.stats().tail_rows == 0


def test_a_full_disk_while_committing_is_a_typed_error(tmp_path):
    with Index.create(tmp_path / "i", dim=8) as index:
        _fill(index, 10)
        connection = index._catalog._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageError, match="full"):
            _fill(index, 5000, seed=1)
        connection.execute("PRAGMA max_page_count = 1073741823")
        assert len(index) == 10
        assert index.verify().ok
        _fill(index, 50)
        assert len(index) == 50


def test_an_interrupted_creation_can_be_done_again(tmp_path):
    path = tmp_path / "i"
    (path / "seg").mkdir(parents=True)
    (path / "edgeembed.sqlite3").touch()
    with Index.create(path, dim=8) as index:
        _fill(index, 3)


def test_many_threads_search_while_one_writes(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 8)).astype(np.float32)
    with Index.create(tmp_path / "i", dim=8, settings=TINY) as index:
        index.upsert(["fixed"], documents=["fixed text"], vectors=rows[:1])
        problems, done = [], threading.Event()

        def search():
            while not done.is_set():
                hits = index.search(rows[0], 3)
                if hits[0].key != "fixed" or hits[0].document != "fixed text":
                    problems.append(hits)
                if any(hit.document != f"text {hit.key}" for hit in hits[1:]):
                    problems.append(hits)

        def checked():
            try:
                search()
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=checked) for _ in range(10)]
        for thread in threads:
            thread.start()
        for start in range(1, 600, 15):
            keys = [str(i % 100) for i in range(start, min(600, start + 15))]
            index.upsert(
                keys, documents=[f"text {key}" for key in keys], vectors=rows[start : start + 15]
            )
        index.compact()
        done.set()
        for thread in threads:
            thread.join()
        assert problems == []
        assert index.verify().ok


def test_closing_while_threads_search_is_a_clean_error(tmp_path):
    index = Index.create(tmp_path / "i", dim=8, settings=TINY)
    _fill(index, 100)
    kinds = []

    def search():
        try:
            while True:
                index.search(np.ones(8), 3)
        except Exception as error:
            kinds.append(type(error).__name__)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    index.close()
    for thread in threads:
        thread.join()
    assert set(kinds) == {"IndexReadOnlyError"}
