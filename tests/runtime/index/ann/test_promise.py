"""Indexes of many kinds keep the recall that was proven, for queries that they have never seen."""

import numpy as np
import pytest

from edgeembed_runtime.index.ann.backend import AnnShape
from edgeembed_runtime.index.ann.calibration import SPARE_CANDIDATES, measure_ann
from edgeembed_runtime.index.ann.held_out import KeptRows, hold_out
from edgeembed_runtime.index.ann.usearch import Usearch
from edgeembed_runtime.index.vectors.block import Rows

pytest.importorskip("usearch")
N, DIM, FLOOR = 3000, 32, 0.99


def drawn(kind, count, rng):
    if kind == "clustered":
        centers = np.random.default_rng(5).normal(size=(40, DIM))
        found = centers[rng.integers(40, size=count)] + 0.4 * rng.normal(size=(count, DIM))
    elif kind == "flat":
        found = rng.normal(size=(count, 4)) @ np.random.default_rng(6).normal(size=(4, DIM))
    else:
        found = rng.normal(size=(count, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def blocks(vectors):
    return Rows(ids=np.arange(N), vectors=vectors, alive=np.ones(N, np.bool_))


def kept_promise(kind, seed, folder):
    """The true recall@10 of a whole graph, with the effort of one calibrated without some rows."""
    rng = np.random.default_rng(seed)
    rows = blocks(drawn(kind, N, rng))
    queries = drawn(kind, 1000, rng)
    held_out = hold_out(rows, FLOOR)
    assert held_out is not None
    usearch, path = Usearch(), folder / f"{kind}{seed}.usearch"
    part = AnnShape(n=held_out.kept.size, dim=DIM, build_parameter=0)
    usearch.build(path, KeptRows(rows, held_out.kept), part)
    ann = usearch.load(path, path.stat().st_size, part)
    measured = measure_ann(rows, ann, held_out, floor=FLOOR, first_effort=32, max_ms=1e9)
    ann.close()
    assert measured is not None
    assert measured.efforts.bound is not None
    assert measured.efforts.recall >= measured.efforts.bound >= FLOOR - 1e-9
    whole = AnnShape(n=N, dim=DIM, build_parameter=0)
    order = np.concatenate([held_out.kept, held_out.held])
    usearch.extend(path, rows, whole, order, part.n)
    assert usearch.find_problem(path, whole) is None
    ann = usearch.load(path, path.stat().st_size, whole)
    effort = measured.efforts.near_effort(10)
    true = np.argsort(-(queries @ rows.vectors.T), axis=1)[:, :10]
    shared = 0
    for query, nearest in zip(queries, true.tolist(), strict=True):
        candidates = ann.query(query, 10 + SPARE_CANDIDATES, effort)
        scores = rows.vectors[candidates] @ query
        if scores.max() < measured.efforts.far_below:
            more = measured.efforts.far_effort(10)
            candidates = np.array(nearest) if more is None else ann.query(query, 26, more)
            scores = rows.vectors[candidates] @ query
        shared += len(set(candidates[np.argsort(-scores)[:10]].tolist()) & set(nearest))
    ann.close()
    return shared / true.size


@pytest.mark.parametrize("kind", ["clustered", "flat", "spread"])
def test_a_small_index_of_any_kind_keeps_its_promise(kind, tmp_path):
    assert kept_promise(kind, 0, tmp_path) >= FLOOR


@pytest.mark.slow
def test_of_thirty_indexes_one_breaks_its_promise_at_most(tmp_path):
    recalls = [kept_promise("spread", seed, tmp_path) for seed in range(1, 31)]
    assert sum(recall < FLOOR for recall in recalls) <= 1


def test_what_is_held_out_depends_on_nothing_but_the_rows():
    rows = blocks(drawn("spread", N, np.random.default_rng(3)))
    one, two = hold_out(rows, FLOOR), hold_out(rows, FLOOR)
    assert one is not None
    assert two is not None
    assert one.held.tolist() == two.held.tolist()
    assert (one.rows.vectors == two.rows.vectors).all()
    assert one.rows.nearest == two.rows.nearest
    held = set(one.held.tolist())
    assert not held & set(one.kept.tolist())
    assert all(not held.intersection(nearest) for nearest in one.rows.nearest)
