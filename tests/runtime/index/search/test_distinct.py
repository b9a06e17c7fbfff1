"""One hit for each value of a metadata field: the best."""

import numpy as np
import pytest

from edgeembed import Index
from edgeembed_runtime.errors import InputError


@pytest.fixture
def index(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(
            [f"k{i}" for i in range(300)],
            documents=[f"word{i % 7} common" for i in range(300)],
            vectors=vectors(300),
            metadatas=[{"file": i % 20} if i % 5 else None for i in range(300)],
        )
        yield index


@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
@pytest.mark.parametrize("k", [1, 3, 15, 40, 75, 300])
def test_the_best_of_each_value_is_kept(index, mode, k, make_encoder):
    index._encoder = make_encoder()
    every = index.search("common word3", 300, mode=mode)
    expected, seen = [], set()
    for hit in every:
        value = None if hit.metadata is None else hit.metadata["file"]
        if value is None or value not in seen:
            seen.add(value)
            expected.append(hit)
    # Fused ranks depend on how deep both lists are read: only the kind of answer is compared.
    found = index.search("common word3", k, mode=mode, distinct="file")
    if mode == "hybrid":
        files = [hit.metadata["file"] for hit in found if hit.metadata]
        assert len(files) == len(set(files))
        assert len(found) == min(k, len(expected))
    else:
        assert found == expected[:k]


def test_many_queries_and_a_least_score(index, vectors):
    found = index.search_many(vectors(4, seed=2), 10, distinct="file", min_score=0.3)
    for hits in found:
        assert all(hit.score >= 0.3 for hit in hits)
        files = [hit.metadata["file"] for hit in hits if hit.metadata]
        assert len(files) == len(set(files))


def test_values_are_compared_as_json(tmp_path):
    metadatas = [{"f": [1, {"a": 2}]}, {"f": [1, {"a": 2}]}, {"f": 1}, {"f": "1"}, {"f": None}]
    with Index.create(tmp_path / "i", dim=2) as index:
        index.upsert(list("abcde"), vectors=np.ones((5, 2)), metadatas=metadatas)
        assert [hit.key for hit in index.search([1, 1], 5, distinct="f")] == list("acde")
        assert [hit.key for hit in index.search([1, 1], 5, distinct="other")] == list("abcde")
        with pytest.raises(InputError, match="distinct"):
            index.search([1, 1], distinct=3)  # pyright: ignore[reportArgumentType]
