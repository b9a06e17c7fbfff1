import logging

import numpy as np
import pytest

from edgeembed import Calibration, Index, RerankError, SearchProfile
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base import reranker as reranker_module

TEXTS = ["cat house", "dog house", "mouse boat", "river rain", "sun cat", "rain cat", "boat river"]


class ByLength:
    """Prefers long texts; remembers what it got."""

    def __init__(self, result=None):
        self.calls = []
        self._result = result

    def rerank(self, query, documents):
        self.calls.append((query, list(documents)))
        return [len(text) for text in documents] if self._result is None else self._result


class Raising:
    def rerank(self, query, documents):
        raise ZeroDivisionError("by the model\nwith a second line")


@pytest.fixture
def index(tmp_path, words_encoder):
    with Index.create(tmp_path / "i", encoder=words_encoder) as index:
        index.upsert(
            [str(n) for n in range(len(TEXTS))],
            documents=TEXTS,
            titles=["title" if n == 0 else None for n in range(len(TEXTS))],
            metadatas=[{"even": n % 2 == 0} for n in range(len(TEXTS))],
        )
        yield index


def _keys(hits):
    return [hit.key for hit in hits]


def test_an_own_reranker_orders_alone_unless_a_weight_is_given(index):
    by_length = ByLength()
    hits = index.search('"cat"', rerank=by_length)
    ((query, documents),) = by_length.calls
    assert query == "cat"
    assert "title\ncat house" in documents
    assert _keys(hits) == ["0", "5", "4"]
    assert [hit.score for hit in hits] == [15, 8, 7]
    assert all(hit.cosine is None and hit.probability is None for hit in hits)
    mixed = index.search("cat", rerank=ByLength(), weight=0.5)
    assert all(0 <= hit.score <= 1 for hit in mixed)


def test_depth_is_how_many_candidates_it_gets(index):
    for depth, expected in ((1, 2), (2, 2), (4, 4), (10**12, len(TEXTS))):
        by_length = ByLength()
        index.search("cat", 2, rerank=by_length, depth=depth)
        assert len(by_length.calls[0][1]) == expected
    for depth in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="depth:"):
            index.search("cat", rerank=ByLength(), depth=depth)


def test_filters_hold_for_the_candidates(index):
    hits = index.search("cat", rerank=ByLength(), where={"even": True}, exclude=["0"])
    assert set(_keys(hits)) <= {"2", "4", "6"}


def test_without_candidates_it_is_not_asked(index):
    assert index.search('"not in there"', rerank=Raising()) == []


def test_an_encoder_of_another_space_gives_its_cosines(index, make_words_encoder):
    profile = SearchProfile(weight=1.0, calibration=Calibration(slope=1, intercept=0))
    other = make_words_encoder(dim=5, space="other", search_profile=profile)
    hits = index.search("cat rain", rerank=other)
    query = other.encode_query("cat rain")
    for hit in hits:
        row = other.encode_document([f"{hit.title}\n{hit.document}"])[0]
        cosine = row @ query / np.linalg.norm(row) / np.linalg.norm(query)
        assert hit.cosine == pytest.approx(cosine, abs=1e-5)
        assert hit.probability == pytest.approx(1 / (1 + np.exp(-cosine)), abs=1e-5)
    assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)
    assert index.search_many(["cat rain"], rerank=other) == [hits]
    dense = index.search("cat rain", mode="dense", rerank=other)
    assert set(_keys(dense)) == set(_keys(hits))


def test_what_the_encoder_does_not_know_has_no_cosine(tmp_path, make_encoder, words_encoder):
    with Index.create(tmp_path / "all", encoder=make_encoder()) as index:
        index.upsert(["known", "unknown"], documents=["cat", "qwertz"])
        hits = {hit.key: hit for hit in index.search("cat", rerank=words_encoder)}
        assert hits["known"].cosine == pytest.approx(1)
        assert (hits["unknown"].cosine, hits["unknown"].probability) == (None, None)
        unknown = index.search("qwertz", rerank=words_encoder)
        assert all(hit.cosine is None for hit in unknown)
        assert unknown[0].key == "unknown"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([1.0], "expected 7 scores from ByLength, one for each document, got an array of shape"),
        ([[1.0] * 7], "expected 7 scores"),
        (1.0, "expected 7 scores"),
        ([1.0] * 6 + [float("nan")], "finite scores from ByLength, got nan for document 6"),
        ([float("inf")] + [1.0] * 6, "finite scores from ByLength, got inf for document 0"),
        ([[1.0], [1.0, 2.0]], "ByLength raised ValueError"),
        (["good"] * 7, "ByLength raised ValueError"),
        ("x", "ByLength raised ValueError"),
    ],
)
def test_scores_that_cannot_be_used_are_named(index, result, message):
    with pytest.raises(RerankError, match=message):
        index.search("cat", rerank=ByLength(result))


def test_a_reranker_that_raises_is_named(index):
    with pytest.raises(RerankError, match=r"Raising raised ZeroDivisionError: by the model$"):
        index.search("cat", rerank=Raising())
    assert index.search("cat")


def test_a_slow_reranker_is_logged(index, monkeypatch, caplog):
    monkeypatch.setattr(reranker_module, "_SLOW_S", -1.0)
    with caplog.at_level(logging.WARNING):
        index.search("cat", rerank=ByLength())
    assert "re-scoring 7 documents took" in caplog.text


@pytest.mark.parametrize("wrong", [1, "encoder", object(), ByLength.rerank])
def test_what_is_no_reranker(index, wrong):
    with pytest.raises(InputError, match="rerank: expected an Encoder, or an object with rerank"):
        index.search("cat", rerank=wrong)


def test_a_vector_alone_cannot_be_rescored(index):
    with pytest.raises(InputError, match="rerank expects a text, got a vector"):
        index.search(np.ones(16), rerank=ByLength())


def test_distinct_keeps_the_best_by_the_new_scores(index):
    hits = index.search("cat", 5, rerank=ByLength(), distinct="even")
    assert len(hits) == 2
    assert hits[0].key == "0"
    assert {hit.metadata["even"] for hit in hits} == {True, False}
