"""Reading a whole index in batches."""

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import IndexCorruptError, InputError, SearchIndexError

TINY = IndexSettings(seal_rows=40)


@pytest.fixture
def index(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16, settings=TINY) as index:
        for start in range(0, 100, 25):
            keys = [f"k{i}" for i in range(start, start + 25)]
            index.upsert(
                keys,
                documents=[f"text {key}" for key in keys],
                vectors=vectors(100)[start : start + 25],
                metadatas=[{"n": 1}] * 25,
            )
        index.delete(["k3", "k50"])
        index.upsert(["k7"], documents=["new"], vectors=vectors(1, seed=4), metadatas=[{"n": 2}])
        yield index


@pytest.mark.parametrize("size", [1, 7, 98, 1000])
def test_every_document_comes_once_in_order_with_its_vector(index, size):
    batches = list(index.batches(size))
    documents = [document for batch in batches for document in batch.documents]
    assert [document.key for document in documents] == list(index.keys())
    assert documents[-1].document == "new"
    assert max(len(batch.documents) for batch in batches) == min(size, 98)
    vectors = np.concatenate([batch.vectors for batch in batches])
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, index.vectors(list(index.keys())))


def test_a_filter_chooses(index):
    (batch,) = index.batches(where={"n": 2})
    assert [document.key for document in batch.documents] == ["k7"]
    assert list(index.batches(where={"n": 3})) == []


def test_a_writer_goes_on_meanwhile_and_a_purge_is_told(index, tmp_path):
    with Index.open(tmp_path / "i") as reader:
        batches = reader.batches(10)
        next(batches)
        index.upsert(["later"], documents=["x"], vectors=np.ones((1, 16)))
        rest = [document.key for batch in batches for document in batch.documents]
        assert "later" not in rest
        assert len(rest) == 88
        reader.refresh()
        batches = reader.batches(10)
        next(batches)
        index.compact()
        with pytest.raises(SearchIndexError, match="compacted while it was read"):
            list(batches)


def test_bad_sizes_and_damage(index):
    with pytest.raises(InputError, match="size"):
        index.batches(0)
    index._catalog._connection.execute("UPDATE doc SET text = 'other' WHERE key = 'k9'")
    with pytest.raises(IndexCorruptError, match="k9"):
        list(index.batches())


def test_an_empty_index_has_no_batches(tmp_path):
    with Index.create(tmp_path / "i", dim=3) as index:
        assert list(index.batches()) == []
