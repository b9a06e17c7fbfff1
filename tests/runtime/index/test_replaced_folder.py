"""An index whose folder, or a part of it, is replaced while it is open: nothing new is touched."""

import os
import shutil
import sqlite3

import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import IndexReplacedError
from edgeembed_runtime.index.write import commit

SETTINGS = IndexSettings(seal_rows=50)
ACTIONS = {
    "upsert": lambda index, base: index.upsert(["x"], vectors=[[1, 2]]),
    "delete": lambda index, base: index.delete("old1"),
    "compact": lambda index, base: index.compact(),
    "backup": lambda index, base: index.backup(base / "copy"),
    "verify": lambda index, base: index.verify(),
    "refresh": lambda index, base: index.refresh(),
}


def _fill(index, tag, vectors, n=120):
    index.upsert([f"{tag}{i}" for i in range(n)], vectors=vectors(n, dim=2))


def _make(path, tag, vectors):
    with Index.create(path, dim=2, settings=SETTINGS) as index:
        _fill(index, tag, vectors)
    return path


def _contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _renamed(path, new):
    path.rename(path.parent / "old")
    new.rename(path)


def _removed(path, new):
    shutil.rmtree(path)
    new.rename(path)


def _catalog(path, new):
    (new / "edgeembed.sqlite3").replace(path / "edgeembed.sqlite3")


def _everything_in_it(path, new):
    for file in list(path.iterdir()):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    for file in list(new.iterdir()):
        file.rename(path / file.name)


def _segments(path, new):
    shutil.rmtree(path / "seg")
    shutil.copytree(new / "seg", path / "seg")


def _segments_by_link(path, new):
    shutil.rmtree(path / "seg")
    (path / "seg").symlink_to(new / "seg", target_is_directory=True)


def _lock(path, new):
    (new / "writer.lock").replace(path / "writer.lock")


def _nothing_new(path, new):
    path.rename(path.parent / "old")


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let go of open files")
@pytest.mark.parametrize(
    "swap",
    [
        _renamed,
        _removed,
        _catalog,
        _everything_in_it,
        _segments,
        _segments_by_link,
        _lock,
        _nothing_new,
    ],
)
def test_a_writer_touches_nothing_of_what_came_to_its_place(tmp_path, vectors, swap):
    path = _make(tmp_path / "i", "old", vectors)
    new = _make(tmp_path / "new", "new", vectors)
    with Index.open(path, mode="rw", settings=SETTINGS) as index:
        swap(path, new)
        before = _contents(tmp_path)
        for name, action in ACTIONS.items():
            with pytest.raises(IndexReplacedError, match="open the index again"):
                action(index, tmp_path)
                pytest.fail(f"{name} went on")
        assert index.get("old1")[0].key == "old1"
        assert index.search([1.0, 2.0])[0].key.startswith("old")
    assert _contents(tmp_path) == before
    if swap in (_renamed, _removed, _everything_in_it):
        with Index.open(path, mode="rw") as index:
            assert len(index) == 120
            assert "new1" in index
            assert index.verify().ok


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let go of open files")
@pytest.mark.parametrize("swap", [_renamed, _removed, _catalog, _everything_in_it, _nothing_new])
def test_a_reader_never_mixes_two_indexes(tmp_path, vectors, swap):
    path = _make(tmp_path / "i", "old", vectors)
    new = _make(tmp_path / "new", "new", vectors)
    with Index.open(path) as index:
        swap(path, new)
        before = _contents(tmp_path)
        for name in ("backup", "verify", "refresh"):
            with pytest.raises(IndexReplacedError):
                ACTIONS[name](index, tmp_path)
        assert index.get("new1") == [None]
        assert index.search([1.0, 2.0])[0].key.startswith("old")
        assert _contents(tmp_path) == before
        journal = path / "edgeembed.sqlite3-journal"  # of the new index's writer
        if path.exists():
            journal.write_bytes(b"x" * 600)
            for use in (lambda: index.get("old1"), index.notes, lambda: list(index.batches())):
                with pytest.raises(IndexReplacedError):
                    use()
            journal.unlink()
    assert _contents(tmp_path) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let go of open files")
def test_a_link_that_leads_to_another_index_now_is_noticed(tmp_path, vectors):
    for tag in ("old", "new"):
        _make(tmp_path / tag, tag, vectors)
    current = tmp_path / "current"
    current.symlink_to("old", target_is_directory=True)
    with Index.open(current, mode="rw") as index:
        current.unlink()
        current.symlink_to("new", target_is_directory=True)
        with pytest.raises(IndexReplacedError):
            index.compact()
    with Index.open(current, mode="rw") as index:
        assert "new1" in index
        assert index.verify().ok


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let go of open files")
@pytest.mark.parametrize("fails", [False, True])
def test_a_swap_in_the_middle_of_a_commit_leaves_the_journal_of_the_new_index(
    tmp_path, vectors, monkeypatch, fails
):
    path = _make(tmp_path / "i", "old", vectors)
    new = _make(tmp_path / "new", "new", vectors)
    crashed = sqlite3.connect(new / "edgeembed.sqlite3", isolation_level=None)
    crashed.execute("PRAGMA cache_size = 1")
    crashed.execute("BEGIN IMMEDIATE")
    crashed.execute("UPDATE doc SET crc32 = 0")
    journal = (new / "edgeembed.sqlite3-journal").read_bytes()
    real = commit.insert_documents

    def swapped(*args, **kwargs):
        real(*args, **kwargs)
        _renamed(path, new)
        if fails:
            raise KeyboardInterrupt

    monkeypatch.setattr(commit, "insert_documents", swapped)
    index = Index.open(path, mode="rw", settings=SETTINGS)
    with pytest.raises(KeyboardInterrupt if fails else IndexReplacedError):
        _fill(index, "again", vectors)
    with pytest.raises(IndexReplacedError):
        index.delete("old1")
    index.close()
    assert (path / "edgeembed.sqlite3-journal").read_bytes() == journal
    crashed.execute("ROLLBACK")
    crashed.close()
    with Index.open(path) as index:
        assert index.verify().ok
