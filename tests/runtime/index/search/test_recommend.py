"""Recommendations from likes and dislikes, and searches with a min score."""

import numpy as np
import pytest

from edgeembed import Index
from edgeembed_runtime.errors import InputError

N, DIM = 200, 16


@pytest.fixture
def filled(tmp_path, vectors):
    rows = vectors(N)
    with Index.create(tmp_path / "index", dim=DIM, space="own") as index:
        metadatas = [{"even": number % 2 == 0} for number in range(N)]
        index.upsert([str(number) for number in range(N)], vectors=rows, metadatas=metadatas)
        yield index, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def expected(rows, liked, disliked, k):
    """The reference: float64 numpy, without the index."""
    unit = rows.astype(np.float64)
    query = unit[liked].mean(0) - (unit[disliked].mean(0) if disliked else 0)
    scores = unit @ (query / np.linalg.norm(query))
    scores[[*liked, *disliked]] = -np.inf
    best = np.argsort(-scores)[:k]
    return [str(number) for number in best], scores[best]


@pytest.mark.parametrize("disliked", [[], [5], [5, 6, 7]])
def test_near_to_likes_and_far_from_dislikes(disliked, filled):
    index, rows = filled
    hits = index.recommend(["1", "2"], [str(number) for number in disliked], 5)
    keys, scores = expected(rows, [1, 2], disliked, 5)
    assert [hit.key for hit in hits] == keys
    np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-6)


def test_one_key_is_as_good_as_a_list_and_is_never_found_itself(filled):
    index, rows = filled
    hits = index.recommend("3", k=5)
    assert [hit.key for hit in hits] == expected(rows, [3], [], 5)[0]
    assert [hit.key for hit in index.recommend("3", k=N)].count("3") == 0


def test_a_key_that_is_named_twice_counts_once(filled):
    index, _ = filled
    assert index.recommend(["1", "2", "2"]) == index.recommend(["1", "2"])


def test_filters_and_exclusions_hold(filled):
    index, rows = filled
    first = expected(rows, [1], [], 1)[0][0]
    assert first not in {hit.key for hit in index.recommend("1", exclude=[first])}
    assert all(hit.metadata["even"] for hit in index.recommend("1", where={"even": True}))


@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ([], [], "positive: expected at least one key"),
        (["1"], ["1"], "cancel each other out"),
        (["nobody"], [], "expected a key of the index, got 'nobody'"),
        (["1"], ["nobody"], "expected a key of the index, got 'nobody'"),
        ([5], [], "positive"),
    ],
)
def test_what_cannot_be_recommended_from(positive, negative, message, filled):
    with pytest.raises(InputError, match=message):
        filled[0].recommend(positive, negative)


@pytest.mark.parametrize("least", [-1, 0.2, 0.5, 1.1])
def test_hits_below_the_least_score_are_left_out(least, filled):
    index, rows = filled
    everything = index.search(rows[0], N)
    found = index.search(rows[0], N, min_score=least)
    assert found == [hit for hit in everything if hit.score >= least]
    assert index.search_many(rows[:1], N, min_score=least) == [found]


@pytest.mark.parametrize("least", ["0.5", True, float("nan"), float("inf"), [1]])
def test_a_least_score_that_is_no_number(least, filled):
    index, rows = filled
    with pytest.raises(InputError, match="min_score: expected a number, 'likely'"):
        index.search(rows[0], min_score=least)
