"""Approximate search: built by compact(), calibrated, validated, and never short of hits."""

import subprocess
from collections import Counter
from typing import Any, cast

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.index.ann import annoy_check, selection
from edgeembed_runtime.index.ann.calibration import Measured, measure_ann
from edgeembed_runtime.index.ann.checked_backend import CheckedAnn
from edgeembed_runtime.index.ann.effort import Efforts
from edgeembed_runtime.index.ann.held_out import hold_out, perturbed
from edgeembed_runtime.index.ann.locality_order import locality_order
from edgeembed_runtime.index.base.unit_vectors import unit_rows
from edgeembed_runtime.index.search import approximate
from edgeembed_runtime.index.vectors.block import Rows

pytest.importorskip("annoy")
pytest.importorskip("faiss")
pytest.importorskip("usearch")
BACKENDS = ("faiss", "usearch", "annoy")

FLOOR = 0.98


def settings(backend):
    # Of 3000 rows 750 are held out: too few to prove 0.99 of the first hit but by luck.
    return IndexSettings(ann_min_rows=500, backend=backend, recall_floor=FLOOR)


def held_out_of(rows, floor):
    found = hold_out(block_of(rows), floor)
    assert found is not None
    return found


def measured(effort, ms):
    efforts = Efforts(
        depths=(10,), near=(effort,), far=None, far_below=-1.0, recall=1.0, bound=0.99
    )
    return Measured(efforts=efforts, ms=ms)


class Knows:
    """Finds the nearest of the rows kept with enough effort, and nothing with less."""

    def __init__(self, rows, held_out, enough):
        self.rows, self.enough = rows[held_out.kept], enough
        self.asked = Counter()

    def query(self, vector, count, effort):
        self.asked[effort] += 1
        return np.argsort(-(self.rows @ vector))[: count if self.enough(vector, effort) else 0]

    def close(self):
        raise NotImplementedError


@pytest.fixture(scope="module")
def clustered():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(60, 32))
    return (centers[rng.integers(60, size=3000)] + 0.5 * rng.normal(size=(3000, 32))).astype("f4")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def filled(path, vectors, chosen):
    index = Index.create(path, dim=32, settings=chosen)
    n = len(vectors)
    index.upsert(
        [str(i) for i in range(n)], vectors=vectors, metadatas=[{"i": i} for i in range(n)]
    )
    index.compact()
    return index


@pytest.fixture
def index(tmp_path, clustered, backend):
    with filled(tmp_path / "i", clustered, settings(backend)) as index:
        yield index


def test_recall_is_measured_stored_and_true(index, clustered, tmp_path, backend):
    (segment,) = index.stats().segments
    assert segment.backend == backend
    assert segment.build_parameter == (20 if backend == "annoy" else 0)
    assert segment.effort >= 1
    assert segment.recall >= segment.recall_bound >= FLOOR
    assert segment.exact_ms > 0 < segment.ann_ms
    queries = clustered[::30]
    near = index.search_many(queries, 10)
    exact = index.search_many(queries, 10, exact=True)
    shared = [
        len({h.key for h in a} & {h.key for h in b}) for a, b in zip(near, exact, strict=True)
    ]
    assert np.mean(shared) / 10 > 0.97
    with Index.open(tmp_path / "i") as reader:
        assert reader.stats().segments == (segment,)
        assert reader.search_many(queries, 10) == near


def test_hits_carry_the_exact_scores(index, clustered):
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
    for limit in (2, 5, 50, 500, 2999):
        alive = {int(key) for key in order[600:]}
        hits = index.search(query, 10, where={"i": {"$lt": limit}})
        assert len(hits) == min(10, len([i for i in alive if i < limit]))
        assert all(hit.metadata["i"] < limit for hit in hits)


@pytest.mark.parametrize("kind", ["at random", "by cluster"])
@pytest.mark.parametrize("part", [0.6, 0.2, 0.05])
def test_of_few_wanted_rows_the_best_are_found(index, clustered, monkeypatch, part, kind, backend):
    asked = []
    query = CheckedAnn.query

    def counted(self, vector, count, effort, wanted=None):
        asked.append(wanted is not None)
        return query(self, vector, count, effort, wanted)

    monkeypatch.setattr(CheckedAnn, "query", counted)
    # A scan takes a second, and a search that is deep enough takes longer.
    (view,) = index._current().segments
    object.__setattr__(view.segment.info, "exact_ms", 1e3)
    monkeypatch.setattr(approximate, "depth_needed", lambda *_: 1_000_000)
    rng = np.random.default_rng(1)
    order = rng.permutation(3000) if kind == "at random" else np.argsort(clustered[:, 0])
    wanted = order[: int(part * 3000)].tolist()
    shared = 0
    for vector in clustered[::100]:
        near = index.search(vector, 10, where={"i": {"$in": wanted}})
        true = index.search(vector, 10, where={"i": {"$in": wanted}}, exact=True)
        assert {hit.metadata["i"] for hit in near} <= set(wanted)
        assert len(near) == 10
        shared += len({h.key for h in near} & {h.key for h in true})
    assert shared >= 0.97 * 300
    # Where no effort is proven for far queries, a scan answers.
    assert any(asked) == (backend == "faiss" and view.segment.info.efforts.far is not None)


def test_candidates_that_died_send_the_search_to_the_scan(index, clustered, monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.index.search.approximate.depth_needed", lambda *_: 12)
    query = clustered[9]
    order = [hit.key for hit in index.search(query, 3000, exact=True)]
    index.delete(order[:100])
    assert [hit.key for hit in index.search(query, 5)] == order[100:105]


def test_only_compacting_builds_it(tmp_path, clustered, backend):
    chosen = IndexSettings(seal_rows=1000, ann_min_rows=500, backend=backend, recall_floor=FLOOR)
    with Index.create(tmp_path / "i", dim=32, settings=chosen) as index:
        index.upsert([str(i) for i in range(3000)], vectors=clustered)
        assert [s.backend for s in index.stats().segments] == ["exact"]
        index.compact()
        assert [s.backend for s in index.stats().segments] == [backend]


def test_what_loses_to_the_scan_is_not_kept(tmp_path, clustered, monkeypatch):
    monkeypatch.setattr(selection, "measure_ann", lambda *_, **__: measured(effort=1, ms=1e9))
    with filled(tmp_path / "i", clustered, settings("auto")) as index:
        (segment,) = index.stats().segments
        assert (segment.backend, segment.build_parameter, segment.recall) == ("exact", 0, None)
        assert segment.exact_ms > 0
        assert sorted(p.suffix for p in (tmp_path / "i" / "seg").iterdir()) == [".f32", ".ids"]


@pytest.mark.parametrize("winner", BACKENDS)
def test_the_first_that_beats_the_scan_stays(tmp_path, clustered, monkeypatch, winner):
    asked = []

    def measure(rows, ann, held_out, **options):
        asked.append(ann.backend.name)
        share = 0.9 if ann.backend.name == winner else 1.1
        return measured(effort=40, ms=held_out.exact_ms * share)

    monkeypatch.setattr(selection, "measure_ann", measure)
    with filled(tmp_path / "i", clustered, settings("auto")) as index:
        (segment,) = index.stats().segments
        files = {p.suffix for p in (tmp_path / "i" / "seg").iterdir()}
    assert segment.backend == winner
    assert asked == list(BACKENDS[: BACKENDS.index(winner) + 1])
    assert files == {".f32", ".ids", ".ann" if winner == "annoy" else f".{winner}"}


def test_an_annoy_that_dies_in_the_probe_is_not_used(tmp_path, clustered, monkeypatch):
    annoy_check._works.cache_clear()
    died = subprocess.CompletedProcess([], returncode=-4, stdout=b"")
    with monkeypatch.context() as patch:
        patch.setattr(annoy_check.subprocess, "run", lambda *_, **__: died)
        assert annoy_check.annoy_module() is None
        with filled(tmp_path / "i", clustered, settings("annoy")) as index:
            assert index.stats().segments[0].backend == "exact"
    annoy_check._works.cache_clear()
    assert annoy_check.annoy_module() is not None


def test_an_application_frozen_into_one_file_is_never_started_again(monkeypatch):
    annoy_check._works.cache_clear()
    monkeypatch.setattr(annoy_check.sys, "frozen", True, raising=False)
    assert annoy_check.annoy_module() is None
    annoy_check._works.cache_clear()


def test_without_its_library_a_segment_is_scanned(tmp_path, clustered, monkeypatch, backend):
    with filled(tmp_path / "i", clustered, settings(backend)) as index:
        truth = index.search(clustered[3], 10, exact=True)
    monkeypatch.setattr(f"edgeembed_runtime.index.ann.{backend}.{MODULE[backend]}", lambda: None)
    with Index.open(tmp_path / "i") as index:
        assert index.stats().segments[0].backend == "exact"
        assert index.search(clustered[3], 10) == truth


MODULE = {"annoy": "annoy_module", "faiss": "_module", "usearch": "_module"}


@pytest.mark.parametrize("least", [1, 2, 3, 7, 8])
def test_the_least_effort_ends_the_search_for_less(vectors, least):
    rows = unit_rows(vectors(400), dim=16, what="rows")
    held_out = held_out_of(rows, 0.9)
    ann = cast(Any, Knows(rows, held_out, lambda _, effort: effort >= least))
    found = measure_ann(block_of(rows), ann, held_out, floor=0.9, first_effort=8, max_ms=1e9)
    assert found is not None
    # A quarter of the 400 rows is held out. The file that is searched in the end holds them too, so
    # four thirds as many rows; effort grows in proportion (at most: a graph's grows slower).
    assert found.efforts.near_effort(10) == -(-4 * least // 3)


def test_what_finds_its_own_rows_only_has_no_recall(vectors):
    rows = unit_rows(vectors(400), dim=16, what="rows")
    held_out = held_out_of(rows, 0.9)
    own = rows[held_out.kept]
    ann = cast(Any, Knows(rows, held_out, lambda vector, _: (own == vector).all(axis=1).any()))
    assert not measure_ann(block_of(rows), ann, held_out, floor=0.9, first_effort=8, max_ms=1e9)


@pytest.mark.parametrize("cosine", [0.0, 0.4, 1.0])
def test_rows_are_moved_away_by_an_angle(cosine, vectors):
    rows = unit_rows(vectors(50), dim=16, what="rows")
    moved = perturbed(rows, cosine, np.random.default_rng(9))
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((rows * moved).sum(axis=1), cosine, atol=1e-6)


def test_rows_of_one_dimension_cannot_be_moved_away():
    rows = np.array([[1.0], [-1.0]], np.float32)
    assert (perturbed(rows, 0.5, np.random.default_rng(0)) == rows).all()


def block_of(rows):
    return Rows(ids=np.arange(len(rows)), vectors=rows, alive=np.ones(len(rows), np.bool_))


def test_rows_that_are_alike_come_one_after_the_other(vectors):
    rng = np.random.default_rng(4)
    kinds = rng.integers(20, size=1000)
    rows = unit_rows(vectors(20)[kinds] + 0.1 * vectors(1000, seed=1), dim=16, what="rows")
    order = locality_order(block_of(rows), 1000)
    assert sorted(order.tolist()) == list(range(1000))

    def likeness(rows):
        return float((rows[1:] * rows[:-1]).sum(axis=1).mean())

    assert likeness(rows[order]) > 0.85 > 0.2 > likeness(rows)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_few_rows_have_an_order_too(vectors, count):
    assert sorted(locality_order(block_of(vectors(count)), count).tolist()) == list(range(count))


def test_an_effort_that_is_clearly_enough_or_not_is_not_tried_on_all_queries(vectors):
    rows = unit_rows(vectors(2000), dim=16, what="rows")
    held_out = held_out_of(rows, 0.95)
    assert min(len(held_out.rows.vectors), len(held_out.far.vectors)) > 390
    ann = Knows(rows, held_out, lambda _, effort: effort >= 40)
    found = measure_ann(
        block_of(rows), cast(Any, ann), held_out, floor=0.95, first_effort=8, max_ms=1e9
    )
    assert found is not None
    assert max(asked for effort, asked in ann.asked.items() if effort < 40) == 100
    # Three depths of near queries and two of far ones: for each a pilot of 200, and then perfect
    # answers to log(1 / 0.005) / log(1 + 0.85 * 0.05) = 128 prove the floor; looked at every 100.
    assert max(ann.asked.values()) <= 5 * (200 + 200)
