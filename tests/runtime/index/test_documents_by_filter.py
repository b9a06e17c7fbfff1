"""Documents are counted, listed and deleted by their metadata."""

import pytest

from edgeembed import Index, IndexSettings, InputError

TINY = IndexSettings(seal_rows=10, backend="exact")


@pytest.fixture
def index(tmp_path, vectors):
    """Twenty-five documents, some of them in sealed segments and replaced."""
    with Index.create(tmp_path / "i", dim=16, settings=TINY) as index:
        for start in (0, 10, 20):
            numbers = range(start, min(start + 10, 25))
            index.upsert(
                [f"k{n}" for n in numbers],
                vectors=vectors(len(numbers), seed=start),
                metadatas=[{"n": n, "odd": n % 2 == 1, "lang": "en"} for n in numbers],
            )
        index.upsert(["k3"], vectors=vectors(1), metadatas=[{"n": 3, "odd": True, "lang": "de"}])
        yield index


def test_documents_that_match_are_counted(index):
    assert index.count() == len(index) == 25
    assert index.count(where={"odd": True}) == 12
    assert index.count(where={"lang": "de"}) == 1
    assert index.count(where={"lang": "fr"}) == 0


def test_keys_are_listed_by_prefix_and_filter(index):
    assert list(index.keys("k1", where={"n": {"$gte": 15}})) == [f"k{n}" for n in range(15, 20)]
    # In the order of writing: the one that was replaced comes last.
    assert list(index.keys(where={"n": {"$in": [2, 3, 4]}})) == ["k2", "k4", "k3"]
    assert list(index.keys(where={"n": 99})) == []


def test_a_reader_counts_what_it_sees(index):
    with Index.open(index.path) as reader:
        index.delete(where={"n": 1})
        assert reader.count(where={"odd": True}) == 12
        assert list(reader.keys("k", where={"n": 1})) == ["k1"]
        reader.refresh()
        assert reader.count(where={"odd": True}) == 11


def test_documents_that_match_are_deleted(index):
    assert index.delete(where={"odd": True}) == 12
    assert len(index) == 13
    assert index.delete(where={"odd": True}) == 0
    assert index.verify().ok


def test_of_some_keys_those_that_match_are_deleted(index):
    assert index.delete(["k1", "k2", "k3", "k3", "gone"], where={"lang": "en"}) == 2
    assert [key for key in ("k1", "k2", "k3") if key in index] == ["k3"]
    assert index.delete([], where={"lang": "de"}) == 0
    assert "k3" in index


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "keys, or where"),
        ({"where": {}}, "expected a condition"),
        ({"where": {"$and": []}}, "condition"),
        ({"where": {"n": {"$near": 3}}}, "near"),
        ({"keys": 5}, "keys"),
    ],
)
def test_a_deletion_that_says_nothing_is_refused(index, given, words):
    with pytest.raises(InputError, match=words):
        index.delete(**given)
    assert len(index) == 25


def test_an_index_shows_what_it_is(index, tmp_path):
    assert repr(index) == f"Index({str(tmp_path / 'i')!r}, mode='rw', 25 documents, dim=16)"
    index.close()
    assert "closed" in repr(index)
