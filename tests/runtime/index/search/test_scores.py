"""What a hit says of itself: cosine, probability, the texts around it; and `min_score` by name."""

import numpy as np
import pytest

from edgeembed import Calibration, Index, SearchProfile
from edgeembed_runtime.errors import InputError

TEXTS = ["cat house", "dog house", "mouse boat", "river rain", "sun cat", "rain cat", "boat river"]


@pytest.fixture
def index(tmp_path, words_encoder):
    with Index.create(tmp_path / "i", encoder=words_encoder) as index:
        index.upsert([str(n) for n in range(len(TEXTS))], documents=TEXTS)
        yield index


@pytest.mark.parametrize(
    "options", [{}, {"mode": "dense"}, {"fusion": "rrf"}, {"weight": 0.0}, {"weight": 1.0}]
)
def test_cosines_and_probabilities_are_true(index, words_encoder, options):
    query = words_encoder.encode_query("cat river").astype(np.float64)
    hits = index.search("cat river", **options)
    assert len(hits) == len(TEXTS)
    for hit in hits:
        row = words_encoder.encode_document([hit.document])[0].astype(np.float64)
        cosine = row @ query / np.linalg.norm(row) / np.linalg.norm(query)
        assert hit.cosine == pytest.approx(cosine, abs=1e-6)
        assert hit.probability == pytest.approx(1 / (1 + np.exp(5 - 10 * cosine)), abs=1e-5)
        if options.get("mode") == "dense":
            assert hit.score == hit.cosine


def test_where_no_document_has_a_word_of_the_query_scores_are_cosines(index, words_encoder):
    vector = words_encoder.encode_query("cat river")
    hits = index.search("zebras", vector=vector)
    assert [hit.score for hit in hits] == [hit.cosine for hit in hits]
    assert [hit.key for hit in hits] == [hit.key for hit in index.search(vector)]


def test_keyword_search_alone_has_no_cosines(index):
    hits = index.search("cat", mode="keyword")
    assert hits
    assert all(hit.cosine is None and hit.probability is None for hit in hits)


def test_likely_hits_are_those_of_at_least_even_odds(index):
    everything = index.search("cat", 100)
    for name, least in (("likely", 0.5), ("possible", 0.15)):
        expected = [hit for hit in everything if hit.probability >= least]
        assert 0 < len(expected) < len(everything)
        assert index.search("cat", 100, min_score=name) == expected
        assert index.search_many(["cat"], 100, min_score=name) == [expected]


def test_probabilities_that_nobody_can_tell_are_not_searched_by(index, make_words_encoder):
    with pytest.raises(InputError, match="'likely' expects an encoder with a calibration"):
        index.search("cat", mode="keyword", min_score="likely")
    plain = make_words_encoder(search_profile=SearchProfile())
    with Index.open(index.path, encoder=plain) as same:
        with pytest.raises(InputError, match="'possible' expects an encoder with a calibration"):
            same.search("cat", min_score="possible")
        assert same.search("cat", min_score=0.1)
        assert same.search("cat", rerank=index._encoder, min_score="likely")
    with pytest.raises(InputError, match="min_score: expected a number, 'likely' or 'possible'"):
        index.search("cat", min_score="surely")


@pytest.mark.parametrize("cosine", [-1.0, 0.0, 0.3, 1.0])
def test_calibration_is_a_logistic_curve_without_overflow(cosine):
    assert Calibration(slope=0, intercept=0).probability(cosine) == 0.5
    for slope in (-1e9, 1e9):
        assert 0 <= Calibration(slope=slope, intercept=1e9).probability(cosine) <= 1


def test_a_vector_can_stand_for_the_text(index, words_encoder):
    vector = words_encoder.encode_query("boat")
    hits = index.search("cat", vector=vector, weight=1.0)
    assert [h.key for h in hits] == [h.key for h in index.search(vector)]
    with Index.open(index.path) as without:
        found = without.search("cat", vector=vector)
        assert [h.key for h in found] == [h.key for h in index.search("cat", vector=vector)]
        with pytest.raises(InputError, match="opened without an encoder"):
            without.search("cat")
    for wrong in (vector[:3], np.zeros(16), np.full(16, np.nan), "cat"):
        with pytest.raises(InputError, match="vector"):
            index.search("cat", vector=wrong)
    with pytest.raises(InputError, match="expected a text beside it, got two vectors"):
        index.search(vector, vector=vector)
    with pytest.raises(InputError, match="mode 'keyword'"):
        index.search("cat", mode="keyword", vector=vector)


SOURCE = "Cats sleep. Dogs bark. Rain falls. Sun shines. Boats float. Rivers run."
# As overlapping passages are: each repeats the end of the one before.
SPANS = [(0, 22), (12, 34), (23, 46), (35, 59), (47, 71)]


@pytest.fixture
def passages(tmp_path, vectors):
    with Index.create(tmp_path / "p", dim=16) as index:
        index.upsert(
            [f"notes.md#{n}" for n in range(len(SPANS))],
            documents=[SOURCE[start:end] for start, end in SPANS],
            metadatas=[{"start": start, "end": end} for start, end in SPANS],
            vectors=vectors(len(SPANS)),
        )
        index.upsert(["single", "x#y"], documents=["zebra", "quagga"], vectors=vectors(2, seed=1))
        yield index


@pytest.mark.parametrize("around", [0, 1, 2, 20])
@pytest.mark.parametrize("number", range(len(SPANS)))
def test_the_texts_around_a_hit_continue_it_without_repetition(passages, number, around):
    row = passages.vectors(f"notes.md#{number}")[0]
    hit = passages.search(row, 1, context=around)[0]
    start, end = SPANS[number]
    first = SPANS[max(0, number - around)][0]
    last = SPANS[min(len(SPANS) - 1, number + around)][1]

    def plain(text):
        return text.replace("\n", "").replace(" ", "")

    assert hit.document == SOURCE[start:end]
    assert plain(hit.before) == plain(SOURCE[first:start])
    assert plain(hit.after) == plain(SOURCE[end:last])


def test_what_is_no_passage_has_nothing_around_it(passages):
    for word in ("zebra", "quagga"):
        (hit,) = passages.search(word, mode="keyword", context=2)
        assert (hit.before, hit.after) == ("", "")


def test_passages_of_unknown_places_come_whole(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(
            ["a#0", "a#1", "a#2", "b#0"], documents=["one", "two", "three", "x"], vectors=vectors(4)
        )
        index.delete("a#0")
        (hit,) = index.search("two", mode="keyword", context=5)
        assert (hit.before, hit.after) == ("", "three")


@pytest.mark.parametrize("context", [-1, 21, 1.5, "1", True, None])
def test_context_that_is_no_number_of_passages(passages, context):
    with pytest.raises(InputError, match="context: expected an integer of 0 to 20"):
        passages.search("zebra", mode="keyword", context=context)
