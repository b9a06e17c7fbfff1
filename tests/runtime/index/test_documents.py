import os
import stat

import numpy as np
import pytest

from edgeembed import Index, IndexSettings, StoredDocument
from edgeembed_runtime.errors import (
    IndexExistsError,
    IndexNotFoundError,
    IndexReadOnlyError,
    InputError,
    SpaceMismatchError,
)

TINY = IndexSettings(seal_rows=10, backend="exact")


@pytest.fixture
def index(tmp_path):
    with Index.create(tmp_path / "i", dim=16) as index:
        yield index


def test_what_goes_in_comes_out(index, vectors):
    meta = {"a": [1, 2.5, None, True, {"ü": "x"}], "n": -(2**63)}
    index.upsert(
        ["a", "b"], documents=["text\0with nul", ""], vectors=vectors(2), metadatas=[meta, None]
    )
    assert index.get(["b", "nope", "a"]) == [
        StoredDocument(key="b", document="", metadata=None),
        None,
        StoredDocument(key="a", document="text\0with nul", metadata=meta),
    ]
    assert index.get("a")[0].key == "a"
    assert "a" in index
    assert "nope" not in index
    assert 3 not in index
    assert list(index.keys()) == ["a", "b"]
    assert len(index) == 2


def test_upsert_replaces_document_vector_and_metadata(index, vectors):
    v = vectors(3)
    index.upsert(["a", "b"], documents=["old", "b"], vectors=v[:2], metadatas=[{"x": 1}, None])
    index.upsert(["a"], documents=["new"], vectors=v[2:])
    assert len(index) == 2
    assert index.get("a") == [StoredDocument(key="a", document="new", metadata=None)]
    assert index.search(v[2], 1)[0].key == "a"
    assert index.search(v[0], 2)[0].score < 0.99
    assert index.search("old", mode="keyword") == []


def test_of_a_repeated_key_the_last_entry_wins(index, vectors):
    index.upsert(["a", "b", "a"], documents=["1", "2", "3"], vectors=vectors(3))
    assert index.get("a")[0].document == "3"
    assert len(index) == 2
    assert index.verify().ok


def test_delete_counts_what_existed(index, vectors):
    index.upsert(["a", "b", "c"], vectors=vectors(3))
    assert index.delete(["a", "a", "zz"]) == 1
    assert index.delete("b") == 1
    assert index.delete([]) == 0
    assert list(index.keys()) == ["c"]
    assert index.delete(["a"]) == 0


def test_an_empty_upsert_is_no_commit(index):
    before = index.generation
    index.upsert([], documents=[], vectors=np.empty((0, 16)))
    assert index.generation == before


def test_everything_survives_reopening(tmp_path, vectors):
    v = vectors(35)
    with Index.create(tmp_path / "i", dim=16, space="s", settings=TINY) as index:
        for i in range(35):
            index.upsert([f"k{i}"], documents=[f"doc {i}"], vectors=v[i : i + 1])
        index.delete(["k3"])
    with Index.open(tmp_path / "i") as index:
        assert (index.dim, index.space, index.mode) == (16, "s", "r")
        assert len(index) == 34
        assert index.search(v[20], 1)[0].document == "doc 20"
        assert index.verify().ok


def test_a_reader_sees_one_generation_until_it_refreshes(tmp_path, vectors):
    v = vectors(40)
    with (
        Index.create(
            tmp_path / "i", dim=16, settings=IndexSettings(seal_rows=30, backend="exact")
        ) as writer,
        Index.open(tmp_path / "i") as reader,
    ):
        writer.upsert(["a", "b"], documents=["a1", "b1"], vectors=v[:2])
        assert len(reader) == 0
        reader.refresh()
        writer.upsert(["a"], documents=["a2"], vectors=v[2:3])
        writer.delete(["b"])
        writer.upsert([f"k{i}" for i in range(30)], vectors=v[3:33])  # sealed
        assert reader.get(["a", "b", "k1"]) == [
            StoredDocument(key="a", document="a1", metadata=None),
            StoredDocument(key="b", document="b1", metadata=None),
            None,
        ]
        assert writer.stats().segments
        assert {hit.document for hit in reader.search(v[1], 5)} == {"a1", "b1"}
        assert [hit.key for hit in reader.search("b1", mode="keyword")] == ["b"]
        reader.refresh()
        assert reader.get("a")[0].document == "a2"
        assert reader.generation == writer.generation
        assert len(reader) == 31


def test_a_reader_moves_on_when_its_generation_is_purged(tmp_path, vectors):
    v = vectors(3)
    with (
        Index.create(tmp_path / "i", dim=16) as writer,
    ):
        writer.upsert(["a", "b"], documents=["a1", "b1"], vectors=v[:2])
        with Index.open(tmp_path / "i") as reader:
            writer.upsert(["a"], documents=["a2"], vectors=v[2:])
            writer.compact()
            assert {hit.document for hit in reader.search(v[0], 5)} == {"a2", "b1"}
            assert reader.generation == writer.generation


def test_compact_leaves_one_segment_and_no_dead_rows(tmp_path, vectors):
    v = vectors(60)
    with Index.create(tmp_path / "i", dim=16, settings=TINY) as index:
        for start in range(0, 60, 6):
            keys = [f"k{i}" for i in range(start, start + 6)]
            index.upsert(keys, documents=keys, vectors=v[start : start + 6])
        index.delete([f"k{i}" for i in range(0, 60, 3)])
        index.compact()
        stats = index.stats()
        assert (stats.documents, stats.tail_rows) == (40, 0)
        assert [(s.n, s.dead) for s in stats.segments] == [(40, 0)]
        assert len(list((tmp_path / "i" / "seg").iterdir())) == 2
        assert index.verify().ok
        index.delete(list(index.keys()))
        index.compact()
        assert index.stats().segments == ()
        assert index.search(v[0]) == []
        assert list((tmp_path / "i" / "seg").iterdir()) == []


def test_the_number_of_segments_and_dead_rows_stays_bounded(tmp_path, vectors):
    v = vectors(400)
    with Index.create(tmp_path / "i", dim=16, settings=TINY) as index:
        for start in range(0, 400, 5):
            index.upsert(
                [f"k{i % 230}" for i in range(start, start + 5)], vectors=v[start : start + 5]
            )
            stats = index.stats()
            assert len(stats.segments) <= 8
            assert stats.tail_rows < 10
        held = sum(s.n for s in index.stats().segments)
        assert held <= 230 / 0.6
        for _ in range(50):  # one key for ever does not grow the index
            index.upsert(["same"], vectors=v[:1])
        assert index.stats().tail_rows <= 10
        assert index.verify().ok


def test_backup_is_an_index_of_its_own(tmp_path, vectors):
    v = vectors(35)
    with Index.create(tmp_path / "i", dim=16, settings=TINY) as index:
        index.upsert([f"k{i}" for i in range(35)], vectors=v)
        index.upsert(["t"], documents=["tail"], vectors=v[:1])
        index.backup(tmp_path / "copy")
        with pytest.raises(IndexExistsError):
            index.backup(tmp_path / "copy")
        index.delete(list(index.keys()))
    with Index.open(tmp_path / "copy", mode="rw") as copy:
        assert len(copy) == 36
        assert copy.verify().ok
        copy.upsert(["new"], vectors=v[:1])


def test_create_refuses_what_is_there(tmp_path, vectors):
    path = tmp_path / "i"
    Index.create(path, dim=3).close()
    with pytest.raises(IndexExistsError):
        Index.create(path, dim=3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(IndexExistsError, match="1 other files"):
        Index.create(tmp_path / "other", dim=3)
    with pytest.raises(IndexExistsError):
        Index.create(tmp_path / "other" / "file", dim=3)
    (tmp_path / "empty").mkdir()
    Index.create(tmp_path / "empty", dim=3).close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_new_index_is_private(tmp_path):
    Index.create(tmp_path / "i", dim=3).close()
    assert stat.S_IMODE((tmp_path / "i").stat().st_mode) == 0o700


def test_open_refuses_what_is_no_index(tmp_path):
    for name in ("missing", "file", "folder"):
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir(exist_ok=True)
        with pytest.raises(IndexNotFoundError):
            Index.open(tmp_path / name, mode="rw")
    assert list((tmp_path / "folder").iterdir()) == []


def test_encoders_must_fit(tmp_path, make_encoder, vectors):
    with Index.create(tmp_path / "i", encoder=make_encoder()) as index:
        index.upsert(["a", "b"], documents=["apple", "pear"])
        assert index.search("pear", 1)[0].key == "b"
        assert [hits[0].key for hits in index.search_many(["pear", "apple"], 1)] == ["b", "a"]
        assert index.search_many([]) == []
    with pytest.raises(SpaceMismatchError, match=r"fake-1.*fake-2.*new index"):
        Index.open(tmp_path / "i", encoder=make_encoder(space="fake-2"))
    with pytest.raises(SpaceMismatchError):
        Index.open(tmp_path / "i", encoder=make_encoder(dim=8))
    dot = make_encoder(similarity_name="dot", normalized=False)
    with pytest.raises(InputError, match="cosine"):
        Index.create(tmp_path / "j", encoder=dot)
    with pytest.raises(InputError, match="cosine"):
        Index.open(tmp_path / "i", encoder=dot)
    with pytest.raises(InputError, match="different"):
        Index.create(tmp_path / "k", encoder=make_encoder(), dim=5)
    with Index.open(tmp_path / "i", mode="rw") as index:
        with pytest.raises(InputError, match="without an encoder"):
            index.search("pear")
        with pytest.raises(InputError, match="without an encoder"):
            index.upsert(["c"], documents=["cherry"])


def test_readers_cannot_write_and_closed_indexes_do_nothing(tmp_path, vectors):
    Index.create(tmp_path / "i", dim=16).close()
    reader = Index.open(tmp_path / "i")
    for write in (
        lambda: reader.upsert(["a"], vectors=vectors(1)),
        lambda: reader.delete(["a"]),
        reader.compact,
    ):
        with pytest.raises(IndexReadOnlyError, match="rw"):
            write()
    reader.close()
    reader.close()
    for use in (
        lambda: reader.search(vectors(1)[0]),
        lambda: reader.get("a"),
        lambda: len(reader),
        reader.refresh,
        reader.verify,
        reader.stats,
    ):
        with pytest.raises(IndexReadOnlyError, match="closed"):
            use()
