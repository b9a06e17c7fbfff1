import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import InputError, SearchIndexError
from edgeembed_runtime.index.catalog import fts
from edgeembed_runtime.index.search import scope
from edgeembed_runtime.index.search.fusion import fuse_ranks

TINY = IndexSettings(seal_rows=50, backend="exact")


@pytest.fixture
def filled(tmp_path, vectors):
    v = vectors(230)
    with Index.create(tmp_path / "i", dim=16, settings=TINY) as index:
        for start in range(0, 230, 23):
            part = range(start, start + 23)
            index.upsert(
                [str(i) for i in part],
                documents=[f"word{i} common" for i in part],
                vectors=v[start : start + 23],
            )
        yield index, v


@pytest.mark.parametrize("k", [1, 7, 230])
def test_exact_search_is_brute_force(filled, vectors, brute_force, k):
    index, v = filled
    assert index.stats().segments
    for query in vectors(5, seed=9):
        order, scores = brute_force(v, query, k)
        hits = index.search(query, k, exact=True)
        assert [int(hit.key) for hit in hits] == order
        np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-6)


def test_search_many_equals_search_to_the_bit(filled, vectors):
    index, _ = filled
    queries = vectors(130, seed=4)
    together = index.search_many(queries, 5)
    assert together == [index.search(query, 5) for query in queries]


def test_ties_come_in_the_order_of_writing(tmp_path, vectors):
    # Odd counts, so that equal rows fall into different lanes and remainders of a BLAS kernel.
    v = vectors(7, dim=19)
    with Index.create(tmp_path / "i", dim=19, settings=TINY) as index:
        for start in range(0, 140, 7):
            index.upsert([f"{i}" for i in range(start, start + 7)], vectors=v)
        hits = index.search(vectors(1, dim=19, seed=3)[0], 140)
        assert len(hits) == 140
        for group in range(7):
            rows = [hit for hit in hits if int(hit.key) % 7 == group]
            assert len({hit.score for hit in rows}) == 1
            assert [int(hit.key) for hit in rows] == sorted(int(hit.key) for hit in rows)


def test_scores_are_cosines_whatever_the_lengths(tmp_path):
    with Index.create(tmp_path / "i", dim=2) as index:
        index.upsert(["x", "y", "z"], vectors=[[1e-30, 0], [3e38, 3e38], [-5, 0]])
        hits = index.search(np.array([7.0, 0.0]))
        assert [hit.key for hit in hits] == ["x", "y", "z"]
        np.testing.assert_allclose([h.score for h in hits], [1, 2**-0.5, -1], atol=1e-6)


def test_fewer_documents_than_k_is_no_error(filled):
    index, v = filled
    assert len(index.search(v[0], 10**9)) == 230
    index.delete([str(i) for i in range(1, 230)])
    assert [hit.key for hit in index.search(v[5], 3)] == ["0"]
    index.delete("0")
    assert index.search(v[5], 3) == []
    assert index.search_many(v[:2], 3) == [[], []]


def test_excluded_keys_are_never_found(filled):
    index, v = filled
    hits = index.search(v[3], 5, exclude=["3", "unknown"])
    assert len(hits) == 5
    assert "3" not in {hit.key for hit in hits}
    assert len(index.search("common", 229, mode="keyword", exclude=["3"])) == 229


def test_keyword_search_ranks_by_bm25(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(
            ["a", "b", "c"],
            documents=["the quick brown fox", "a fox and a fox", "Über den Wolken"],
            vectors=vectors(3),
            metadatas=[{"n": 1}, {"n": 2}, {"n": 3}],
        )
        hits = index.search("FOX", mode="keyword")
        assert [hit.key for hit in hits] == ["b", "a"]
        assert hits[0].score >= hits[1].score
        assert [h.key for h in index.search("uber", mode="keyword")] == ["c"]
        assert [h.key for h in index.search("fox", mode="keyword", where={"n": 1})] == ["a"]


@pytest.mark.parametrize(
    "text",
    ['" OR *', "NEAR(" * 1000, "AND OR NOT", 'a"b"c', "fox*", "text:fox", "-fox", "^fox",
     "'; DROP TABLE doc; --", "\0", "_", "x " * 10_000, "{a b}: c", "日本語", "fox\0fox"],
)  # fmt: skip
def test_no_text_is_keyword_syntax(tmp_path, vectors, text):
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(["a"], documents=["a harmless text"], vectors=vectors(1))
        assert isinstance(index.search(text, mode="keyword"), list)
        assert len(index) == 1


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u2003"])
@pytest.mark.parametrize("mode", [None, "dense", "keyword", "hybrid"])
def test_a_query_without_any_text_is_refused(tmp_path, encoder, text, mode):
    with Index.create(tmp_path / "i", encoder=encoder) as index:
        index.upsert(["a"], documents=["a text"])
        with pytest.raises(InputError, match="query: expected words to search for"):
            index.search(text, mode=mode)
        with pytest.raises(InputError, match=r"queries\[1\]: expected words to search for"):
            index.search_many(["a", text], mode=mode)


def test_hybrid_can_be_reciprocal_rank_fusion(tmp_path, encoder):
    with Index.create(tmp_path / "i", encoder=encoder) as index:
        texts = [f"thing {i}" for i in range(20)] + ["needle in a haystack"]
        index.upsert([str(i) for i in range(21)], documents=texts)
        dense = [h.key for h in index.search("needle", 21, mode="dense")]
        words = [h.key for h in index.search("needle", 21, mode="keyword")]
        assert words == ["20"]
        expected = {key: 1 / (60 + rank) for rank, key in enumerate(dense, 1)}
        expected["20"] += 1 / 61
        hits = index.search("needle", 21, fusion="rrf")
        assert {hit.key: pytest.approx(hit.score) for hit in hits} == expected
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
        assert index.search_many(["needle"], 21, fusion="rrf")[0] == hits


def test_without_fts5_only_keyword_search_is_missing(tmp_path, vectors, monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.index.catalog.create.has_fts5", lambda: False)
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(["a"], documents=["text"], vectors=vectors(1))
        index.upsert(["a"], documents=["more"], vectors=vectors(1))
        assert index.search(vectors(1)[0])[0].document == "more"
        with pytest.raises(SearchIndexError, match="FTS5"):
            index.search("text", mode="keyword")
        index.compact()
        assert index.verify().ok
    assert fts.has_fts5() in (True, False)


def test_options_are_checked(filled):
    index, v = filled
    for k in (0, -1, 1.5, "3", True, None):
        with pytest.raises(InputError, match="k:"):
            index.search(v[0], k)
    assert len(index.search(v[0], np.int64(3))) == 3
    with pytest.raises(InputError, match="mode"):
        index.search(v[0], mode="fuzzy")
    with pytest.raises(InputError, match="expects a text"):
        index.search(v[0], mode="keyword")
    for bad in (v[0][:5], v[:2], [np.nan] * 16, [0.0] * 16, ["x"] * 16, None, {}):
        with pytest.raises(InputError):
            index.search(bad)
    with pytest.raises(InputError):
        index.search_many(v[:, :3])
    with pytest.raises(InputError):
        index.search("\ud800", mode="keyword")
    with pytest.raises(InputError, match="use search"):
        index.search_many("text")


def test_fusion_prefers_what_both_lists_hold():
    assert fuse_ranks([[(1, 0.9), (2, 0.8)], [(3, 5.0), (2, 4.0)]], 2) == [
        (2, 1 / 62 + 1 / 62),
        (1, 1 / 61),
    ]


def test_the_index_works_without_annoy(tmp_path, vectors, brute_force, monkeypatch):
    monkeypatch.setitem(sys.modules, "annoy", None)
    v = vectors(300)
    settings = IndexSettings(ann_min_rows=50, backend="annoy")
    with Index.create(tmp_path / "i", dim=16, settings=settings) as index:
        index.upsert([str(i) for i in range(300)], vectors=v)
        index.compact()
        assert [s.backend for s in index.stats().segments] == ["exact"]
        order, _ = brute_force(v, v[5], 10)
        assert [int(hit.key) for hit in index.search(v[5], 10)] == order
        assert index.verify().ok


def test_a_filter_is_worked_out_once_until_something_is_written(tmp_path, vectors, monkeypatch):
    asked = []
    read = scope._rows_that_meet

    def counted(connection, condition, generation):
        asked.append(generation)
        return read(connection, condition, generation)

    monkeypatch.setattr(scope, "_rows_that_meet", counted)
    with Index.create(tmp_path / "i", dim=16) as index:
        facts = [{"n": n % 3} for n in range(30)]
        index.upsert([str(n) for n in range(30)], vectors=vectors(30), metadatas=facts)
        for _ in range(3):
            assert len(index.search(vectors(1)[0], 30, where={"n": 1})) == 10
        assert len(asked) == 1
        with Index.open(tmp_path / "i") as reader:
            assert len(reader.search(vectors(1)[0], 30, where={"n": 1})) == 10
            index.upsert(["31"], vectors=vectors(1), metadatas=[{"n": 1}])
            index.delete(["1", "4"])
            reader.refresh()
            for each in (index, reader, index, reader):
                found = {hit.key for hit in each.search(vectors(1)[0], 30, where={"n": 1})}
                assert len(found) == 9
                assert "31" in found
        assert len(asked) == 4
        for n in (*range(20), 0):  # more filters than are kept
            assert len(index.search(vectors(1)[0], 30, where={"n": n})) == (
                10 if n in (0, 2) else 9 if n == 1 else 0
            )
        assert len(asked) == 4 + 20


def test_the_same_filter_by_many_threads_at_once(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        facts = [{"n": n % 7} for n in range(210)]
        index.upsert([str(n) for n in range(210)], vectors=vectors(210), metadatas=facts)
        queries = vectors(40, seed=5)

        def found(at):
            hits = index.search(queries[at % 40], 50, where={"n": at % 11})
            return len(hits) == (30 if at % 11 < 7 else 0)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(found, range(300)))
