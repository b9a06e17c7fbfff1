"""Scans of SQ8 codes find the true neighbors, whatever the vectors are."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeembed import Index
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.sq8 import block_rows, quantize_rows, sq8_bytes, write_sq8
from edgeembed_runtime.index.vectors.sq8_scan import Sq8Scan
from edgeembed_runtime.index.vectors.topk import TopK, scan


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_rows(kind, n, dim, seed):
    rng = np.random.default_rng(seed)
    if kind == "spikes":  # one component has nearly everything: the worst case for one scale
        rows = rng.normal(size=(n, dim)) * 1e-3
        rows[np.arange(n), rng.integers(dim, size=n)] += 1
        return unit(rows)
    if kind == "copies":
        return unit(rng.normal(size=(3, dim)))[rng.integers(3, size=n)]
    if kind == "narrow":  # all in one direction, so that many are close to the best
        return unit(rng.normal(size=dim) * 3 + 0.05 * rng.normal(size=(n, dim)))
    return unit(rng.normal(size=(n, dim)))


def coded(path, vectors):
    n, dim = vectors.shape
    size, sha256 = write_sq8(path, vectors, lambda: None)
    assert size == sq8_bytes(n, dim) == path.stat().st_size
    return Sq8Scan(path, sha256=sha256, n=n, dim=dim)


def rows_of(vectors, sq8):
    n = len(vectors)
    ids = np.arange(n, dtype=np.int64) * 2
    return Rows(ids=ids, vectors=vectors, alive=np.ones(n, np.bool_), sq8=sq8)


KIND = st.sampled_from(["normal", "spikes", "copies", "narrow"])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(kind=KIND, n=st.integers(1, 4000), dim=st.integers(1, 70), seed=st.integers(0, 999))
def test_approximations_are_as_near_as_they_say(tmp_path_factory, kind, n, dim, seed):
    vectors = random_rows(kind, n, dim, seed)
    queries = np.concatenate([random_rows("normal", 3, dim, seed + 1), vectors[:2]])
    near = coded(tmp_path_factory.mktemp("codes") / "a.i8", vectors).approximate(queries)
    truth = queries.astype(np.float64) @ vectors.astype(np.float64).T
    errors = np.abs(near.products * near.scales[:, None] - truth)
    assert (errors <= near.errors[:, None]).all()
    assert near.errors.max() < 0.1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=KIND,
    n=st.integers(1, 6000),
    dim=st.sampled_from([1, 2, 16, 384]),
    k=st.sampled_from([1, 10, 700]),
    seed=st.integers(0, 999),
    part=st.sampled_from([1.0, 0.5, 0.05, 0.001]),
)
def test_the_best_are_those_of_float64(tmp_path_factory, kind, n, dim, k, seed, part):
    vectors = random_rows(kind, n, dim, seed)
    rows = rows_of(vectors, coded(tmp_path_factory.mktemp("codes") / "a.i8", vectors))
    wanted = np.random.default_rng(seed).uniform(size=n) < part
    queries = np.concatenate([random_rows("normal", 2, dim, seed + 1), vectors[:1]])
    tops = [TopK(k) for _ in queries]
    scan(rows, wanted, queries, tops)
    for query, top in zip(queries, tops, strict=True):
        precise = vectors.astype(np.float64) * query.astype(np.float64)
        scores = np.clip(precise.sum(axis=1), -1, 1).astype(np.float32)
        order = [i for i in np.lexsort((rows.ids, -scores)).tolist() if wanted[i]][:k]
        assert top.pairs() == [(2 * i, float(scores[i])) for i in order]


@pytest.mark.slow
def test_several_blocks_are_one(tmp_path):
    vectors = random_rows("normal", 5000, 8192, 1)
    assert block_rows(8192) < 5000
    rows = rows_of(vectors, coded(tmp_path / "a.i8", vectors))
    top, plain = TopK(5), TopK(5)
    scan(rows, rows.alive, vectors[4321:4322], [top])
    scan(rows_of(vectors, None), rows.alive, vectors[4321:4322], [plain])
    assert top.pairs() == plain.pairs()
    assert top.pairs()[0] == (2 * 4321, 1.0)


def test_codes_are_rounded_components():
    vectors = unit([[1, 2, -4], [0.5, 0, 0]])
    codes, scales, max_error = quantize_rows(vectors)
    assert codes.tolist() == [[32, 64, -127], [127, 0, 0]]
    back = codes * scales[:, None].astype(np.float64)
    assert max_error == pytest.approx(np.linalg.norm(vectors - back, axis=1).max())


def index_of(tmp_path, n=5000):
    index = Index.create(tmp_path / "i", dim=16)
    index.upsert([str(i) for i in range(n)], vectors=random_rows("normal", n, 16, 0))
    index.compact()
    return index


def test_an_index_uses_codes_and_one_without_answers_alike(tmp_path, vectors):
    with index_of(tmp_path) as index:
        (codes,) = (tmp_path / "i" / "seg").glob("*.i8")
        assert index._current().segments[0].rows.sq8 is not None
        found = index.search_many(vectors(20), 10)
    codes.unlink()
    with Index.open(tmp_path / "i") as index:
        assert index.search_many(vectors(20), 10) == found


def test_damaged_codes_are_not_used_and_found_by_verify(tmp_path, vectors, caplog):
    with index_of(tmp_path) as index:
        found = index.search_many(vectors(20), 10)
    (codes,) = (tmp_path / "i" / "seg").glob("*.i8")
    data = bytearray(codes.read_bytes())
    data[5000] ^= 64
    codes.write_bytes(data)
    with Index.open(tmp_path / "i") as index:
        assert index.search_many(vectors(20), 10) == found
        assert caplog.text.count("searching a segment without its SQ8 file") == 1
        assert [p for p in index.verify().problems if "i8" in p]


def test_many_threads_share_a_scan(tmp_path, vectors):
    with index_of(tmp_path) as index:
        expected = index.search_many(vectors(8), 10)
    with Index.open(tmp_path / "i") as index:
        found = {}

        def search(number):
            found[number] = index.search(vectors(8)[number], 10)

        threads = [threading.Thread(target=search, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[number] for number in range(8)] == expected
