"""Deletes and notes in the same commit as an upsert; keys by prefix."""

import sqlite3

import numpy as np
import pytest

from edgeembed import Index
from edgeembed_runtime.errors import IndexReadOnlyError, InputError, SearchIndexError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "i"


@pytest.fixture
def index(path):
    with Index.create(path, dim=16) as index:
        yield index


def test_notes_are_kept_replaced_and_dropped(index, path):
    assert index.notes() == {}
    index.upsert([], documents=[], notes={"a": "1", "b": "ü\nx", "file:c": ""})
    index.upsert([], documents=[], notes={"a": "2", "b": None, "never there": None})
    assert index.notes() == {"a": "2", "file:c": ""}
    with Index.open(path) as reader:
        assert reader.notes() == index.notes()


def test_notes_are_no_part_of_what_the_index_says_of_itself(index, path):
    index.upsert([], documents=[], notes={"dim": "x", "gen": "x", ";": "x"})
    index.close()
    with Index.open(path) as again:
        assert again.dim == 16
        assert again.info == {}
        assert again.notes() == {"dim": "x", "gen": "x", ";": "x"}
        assert again.verify().ok


def test_notes_documents_and_deletions_are_one_commit(index, vectors):
    index.upsert(["a", "b"], vectors=vectors(2))
    before = index.generation
    index.upsert(["c"], vectors=vectors(1), delete=["a", "nobody"], notes={"n": "1"})
    assert index.generation == before + 1
    assert list(index.keys()) == ["b", "c"]
    assert index.notes() == {"n": "1"}


def test_a_key_that_is_deleted_and_written_at_once_is_written(index, vectors):
    index.upsert(["a"], documents=["old"], vectors=vectors(1))
    index.upsert(["a"], documents=["new"], vectors=vectors(1), delete=["a"])
    assert index.get("a")[0].document == "new"
    assert len(index) == 1


def test_a_commit_that_fails_keeps_no_note(index, vectors, monkeypatch):
    index.upsert(["a"], vectors=vectors(1), notes={"n": "1"})

    def full(self):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("edgeembed_runtime.index.catalog.catalog.Catalog.commit", full)
        with pytest.raises(SearchIndexError):
            index.upsert(["b"], vectors=vectors(1), delete=["a"], notes={"n": "2"})
    assert index.notes() == {"n": "1"}
    assert list(index.keys()) == ["a"]


@pytest.mark.parametrize(
    "notes", [["a"], {"a": 1}, {1: "a"}, {"": "a"}, {"a\0": "b"}, {"a": "\ud800"}], ids=repr
)
def test_notes_that_cannot_be_kept_are_refused(index, notes):
    with pytest.raises(InputError, match="notes"):
        index.upsert([], documents=[], notes=notes)
    assert index.notes() == {}


def test_keys_to_delete_are_checked(index):
    with pytest.raises(InputError, match="delete: expected a list of str, got str"):
        index.upsert([], documents=[], delete="abc")


def test_a_reader_keeps_no_notes(index, path):
    with Index.open(path) as reader, pytest.raises(IndexReadOnlyError):
        reader.upsert([], documents=[], notes={"a": "b"})


def test_a_backup_and_compaction_keep_notes_and_repair_drops_them(index, path, tmp_path, vectors):
    index.upsert(["a"], vectors=vectors(1), notes={"n": "1"})
    index.compact()
    assert index.notes() == {"n": "1"}
    index.backup(tmp_path / "copy")
    index.close()
    with Index.open(tmp_path / "copy") as copy:
        assert copy.notes() == {"n": "1"}
    # What is repaired may lack documents, so that notes on them would lie.
    Index.repair(path, tmp_path / "repaired")
    with Index.open(tmp_path / "repaired") as repaired:
        assert repaired.notes() == {}


def test_keys_by_prefix(index, vectors):
    keys = ["a#1", "a", "a#", "b#1", "a#\U0010ffff", "A#1", "ab", "ü#1", "a$", "a\U0010ffff#"]
    index.upsert(keys, vectors=vectors(len(keys)))
    index.delete("a#1")
    index.upsert(["a#0"], vectors=vectors(1))
    for prefix in ("", "a", "a#", "ü", "nothing", "a\U0010ffff", "#"):
        expected = [key for key in [*keys[1:], "a#0"] if key.startswith(prefix)]
        assert list(index.keys(prefix)) == expected, prefix


def test_keys_by_prefix_are_those_of_the_reader_s_generation(index, path, vectors):
    index.upsert(["a1", "a2", "b"], vectors=vectors(3))
    with Index.open(path) as reader:
        index.upsert(["a3", "a1"], vectors=vectors(2), delete=["a2"])
        assert list(reader.keys("a")) == ["a1", "a2"]
        reader.refresh()
        assert list(reader.keys("a")) == ["a3", "a1"]


def test_vectors_that_are_read_and_written_again_stay_as_they_are(index, vectors):
    index.upsert([str(i) for i in range(500)], vectors=vectors(500) * 3.7)
    before = index.vectors([str(i) for i in range(500)])
    index.upsert([str(i) for i in range(500)], vectors=before)
    assert np.array_equal(index.vectors([str(i) for i in range(500)]), before)
