import subprocess

import numpy as np
import pytest

from edgeembed_runtime.index import Index, IndexSettings, annoy_probe

pytest.importorskip("annoy")
SETTINGS = IndexSettings(seal_rows=1000, ann_min_rows=500, backend="annoy")


@pytest.fixture(scope="module")
def clustered():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 32))
    return (centres[rng.integers(60, size=3000)] + 0.5 * rng.normal(size=(3000, 32))).astype("f4")


@pytest.fixture
def index(tmp_path, clustered):
    with Index.create(tmp_path / "i", dim=32, settings=SETTINGS) as index:
        n = len(clustered)
        index.upsert([str(i) for i in range(n)], None, clustered, [{"i": i} for i in range(n)])
        yield index


def test_recall_is_measured_stored_and_true(index, clustered, tmp_path):
    (segment,) = index.stats().segments
    assert segment.backend == "annoy"
    assert segment.trees == 20
    assert segment.search_k >= 200
    assert segment.recall >= 0.95
    assert segment.exact_ms > 0 < segment.annoy_ms
    queries = clustered[::30]
    near = index.search_many(queries, 10)
    exact = index.search_many(queries, 10, exact=True)
    shared = [
        len({h.key for h in a} & {h.key for h in b}) for a, b in zip(near, exact, strict=True)
    ]
    assert np.mean(shared) / 10 > 0.9
    assert near != exact or np.mean(shared) == 10
    with Index.open(tmp_path / "i") as reader:
        assert reader.stats().segments == (segment,)
        assert reader.search_many(queries, 10) == near


def test_annoys_hits_carry_the_exact_scores(index, clustered):
    exact = {hit.key: hit.score for hit in index.search(clustered[5], 3000, exact=True)}
    for hit in index.search(clustered[5], 20):
        assert hit.score == exact[hit.key]


def test_deletes_and_filters_never_make_an_answer_short(index, clustered):
    query = clustered[9]
    order = [hit.key for hit in index.search(query, 3000, exact=True)]
    index.delete(order[:600])
    left = [h.key for h in index.search(query, 10)]
    assert left == [h.key for h in index.search(query, 10, exact=True)] or len(left) == 10
    assert not set(left) & set(order[:600])
    assert len(index.search(query, 50, where={"i": {"$lt": 2500}})) == 50
    assert len(index.search(query, 10, where={"i": {"$in": [1, 2, int(order[700])]}})) <= 3
    assert len(index.search(query, 2400)) == 2400
    assert len(index.search(query, 10, exclude=left)) == 10


def test_the_large_filter_path_uses_annoy_and_falls_back(index, clustered, monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.index.dense._SELECTIVE_ROWS", 0)
    query = clustered[9]
    for limit in (2, 5, 50, 500, 2999):
        hits = index.search(query, 10, where={"i": {"$lt": limit}})
        assert len(hits) == min(10, limit)
        assert all(hit.metadata["i"] < limit for hit in hits)


def test_trees_that_lose_are_not_kept(tmp_path, clustered, monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.index.calibrate._measure_annoy", lambda *_: (0.5, 1e9))
    settings = IndexSettings(seal_rows=1000, ann_min_rows=500)
    with Index.create(tmp_path / "i", dim=32, settings=settings) as index:
        index.upsert([str(i) for i in range(1000)], vectors=clustered[:1000])
        (segment,) = index.stats().segments
        assert (segment.backend, segment.trees, segment.recall) == ("exact", 0, 0.5)
        assert sorted(p.suffix for p in (tmp_path / "i" / "seg").iterdir()) == [".f32", ".ids"]


def test_an_annoy_that_dies_in_the_probe_is_not_used(tmp_path, clustered, monkeypatch):
    annoy_probe._works.cache_clear()
    died = subprocess.CompletedProcess([], returncode=-4, stdout=b"")
    with monkeypatch.context() as patch:
        patch.setattr(annoy_probe.subprocess, "run", lambda *_, **__: died)
        assert annoy_probe.annoy_module() is None
        with Index.create(tmp_path / "i", dim=32, settings=SETTINGS) as index:
            index.upsert([str(i) for i in range(1000)], vectors=clustered[:1000])
            assert index.stats().segments[0].backend == "exact"
    annoy_probe._works.cache_clear()
    assert annoy_probe.annoy_module() is not None


def test_an_application_frozen_into_one_file_is_never_started_again(monkeypatch):
    annoy_probe._works.cache_clear()
    monkeypatch.setattr(annoy_probe.sys, "frozen", True, raising=False)
    assert annoy_probe.annoy_module() is None
    annoy_probe._works.cache_clear()
