"""Indexes of many kinds keep the recall that was proven, for queries that they have never seen."""

import numpy as np
import pytest

from edgeembed_runtime.index.ann import usearch
from edgeembed_runtime.index.ann.backend import AnnShape
from edgeembed_runtime.index.ann.calibration import candidates_for, measure_ann
from edgeembed_runtime.index.ann.held_out import KeptRows, hold_out
from edgeembed_runtime.index.ann.usearch import Usearch
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import cosines

pytest.importorskip("usearch")
# Of 3000 rows 750 are held out: too few to prove 0.99 of the first hit but by luck.
N, DIM, FLOOR = 3000, 32, 0.98


@pytest.fixture(autouse=True)
def _same_graph_every_time(monkeypatch):
    # Two threads add rows in an order of their own.
    monkeypatch.setattr(usearch, "available_cpus", lambda: 1)


def drawn(kind, count, rng):
    if kind == "clustered":
        centers = np.random.default_rng(5).normal(size=(40, DIM))
        found = centers[rng.integers(40, size=count)] + 0.4 * rng.normal(size=(count, DIM))
    elif kind == "flat":
        found = rng.normal(size=(count, 4)) @ np.random.default_rng(6).normal(size=(4, DIM))
    elif kind == "copies":
        once = rng.normal(size=(count // 4 + 1, DIM))
        found = np.concatenate([np.repeat(once[:5], count // 10, axis=0), *[once] * 4])[:count]
    elif kind == "close":  # closer to each other than int8 can tell
        center = np.random.default_rng(7).normal(size=DIM)
        found = center / np.linalg.norm(center) + 0.004 * rng.normal(size=(count, DIM))
    else:
        found = rng.normal(size=(count, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def blocks(vectors):
    return Rows(ids=np.arange(N), vectors=vectors, alive=np.ones(N, np.bool_))


def kept_promise(kind, seed, folder):
    """Recall at 1 and at 10 of a whole graph, with the effort of one calibrated without some rows.

    None where no recall was proven, and a segment would be scanned.
    """
    rng = np.random.default_rng(seed)
    rows = blocks(drawn(kind, N, rng))
    queries = drawn(kind, 1000, rng)
    held_out = hold_out(rows, FLOOR)
    assert held_out is not None
    backend, path = Usearch(), folder / f"{kind}{seed}.usearch"
    part = AnnShape(n=held_out.kept.size, dim=DIM, build_parameter=0)
    backend.build(path, KeptRows(rows, held_out.kept), part)
    ann = backend.load(path, path.stat().st_size, part)
    measured = measure_ann(rows, ann, held_out, floor=FLOOR, first_effort=32, max_ms=1e9)
    ann.close()
    if measured is None:
        return None
    assert measured.efforts.bound is not None
    assert measured.efforts.bound >= FLOOR - 1e-9
    whole = AnnShape(n=N, dim=DIM, build_parameter=0)
    order = np.concatenate([held_out.kept, held_out.held])
    backend.extend(path, rows, whole, order, part.n)
    assert backend.find_problem(path, whole) is None
    ann = backend.load(path, path.stat().st_size, whole)
    recalls = tuple(recall_at(k, ann, rows, queries, measured.efforts) for k in (1, 10))
    ann.close()
    return recalls


def recall_at(k, ann, rows, queries, efforts):
    effort, far = efforts.near_effort(k), efforts.far_effort(k)
    found = 0
    for query in queries:
        true = np.sort(cosines(rows.vectors, query))[-k:]
        scores = found_by(ann, rows, query, k, effort)
        if scores.max() < efforts.far_below:
            scores = true if far is None else found_by(ann, rows, query, k, far)
        found += min(np.count_nonzero(scores >= true[0]), k)  # equal rows are equally good
    return found / k / len(queries)


def found_by(ann, rows, query, k, effort):
    return cosines(rows.vectors[ann.query(query, candidates_for(k, effort), effort)], query)


@pytest.mark.parametrize("kind", ["clustered", "flat", "spread"])
def test_a_small_index_of_any_kind_keeps_its_promise(kind, tmp_path):
    recalls = kept_promise(kind, 0, tmp_path)
    assert recalls is not None
    assert min(recalls) >= FLOOR


@pytest.mark.parametrize("kind", ["copies", "close"])
def test_an_index_that_int8_cannot_tell_apart_keeps_its_promise_or_is_scanned(kind, tmp_path):
    recalls = kept_promise(kind, 0, tmp_path)
    assert recalls is None or min(recalls) >= FLOOR


@pytest.mark.slow
def test_of_twelve_indexes_one_breaks_its_promise_at_most(tmp_path):
    found = [kept_promise("spread", seed, tmp_path) for seed in range(1, 13)]
    recalls = [recall for recall in found if recall is not None]
    assert len(recalls) > 9
    assert sum(at_1 < FLOOR for at_1, _ in recalls) <= 1
    assert sum(at_10 < FLOOR for _, at_10 in recalls) <= 1


def test_what_is_held_out_depends_on_nothing_but_the_rows():
    rows = blocks(drawn("spread", N, np.random.default_rng(3)))
    one, two = hold_out(rows, FLOOR), hold_out(rows, FLOOR)
    assert one is not None
    assert two is not None
    assert one.held.tolist() == two.held.tolist()
    assert (one.rows.vectors == two.rows.vectors).all()
    assert (one.rows.nearest == two.rows.nearest).all()
    assert sorted([*one.held.tolist(), *one.kept.tolist()]) == list(range(N))
    assert one.rows.nearest.max() < 0.999  # no row held out has found itself
