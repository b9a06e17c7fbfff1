import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed import Index, SearchProfile
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.search.fusion import KeywordRanking, fuse_ranks, fuse_scores

TEXTS = ["cat house", "dog house", "mouse boat", "river rain", "sun", "rain cat", "boat river sun"]


def _ranking(scores):
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


RANKINGS = st.dictionaries(st.integers(0, 30), st.floats(0.015625, 50, width=32), max_size=20).map(
    _ranking
)


def _words(ranking):
    return KeywordRanking(pairs=ranking, bound=10.0)


@given(RANKINGS, RANKINGS)
def test_a_weight_of_one_or_zero_is_the_order_of_one_ranking(dense, words):
    for weight, first in ((1.0, dense), (0.0, words)):
        fused = [row for row, _ in fuse_scores(dense, _words(words), 100, weight=weight)]
        assert fused[: len(first)] == [row for row, _ in first]
        assert sorted(fused) == sorted({row for row, _ in (*dense, *words)})


@given(RANKINGS, RANKINGS, st.floats(0, 1), st.integers(1, 50))
def test_fused_scores_are_shares_in_descending_order(dense, words, weight, k):
    fused = fuse_scores(dense, _words(words), k, weight=weight)
    assert len(fused) == min(k, len({row for row, _ in (*dense, *words)}))
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


@given(RANKINGS, RANKINGS, st.floats(0, 1))
def test_what_is_better_in_both_rankings_is_not_worse_fused(dense, words, weight):
    scores = dict(fuse_scores(dense, _words(words), 100, weight=weight))
    by_vector, by_word = dict(dense), dict(words)
    both = sorted(by_vector.keys() & by_word.keys())
    for one in both:
        for other in both:
            if by_vector[one] >= by_vector[other] and by_word[one] >= by_word[other]:
                assert scores[one] >= scores[other] - 1e-9


@given(RANKINGS, RANKINGS)
def test_reciprocal_ranks_do_not_depend_on_the_order_of_the_rankings(left, right):
    assert dict(fuse_ranks([left, right], 100)) == pytest.approx(
        dict(fuse_ranks([right, left], 100))
    )


def test_many_documents_with_one_score_for_words_are_better_than_others():
    dense = [(row, 0.5) for row in range(200)]
    words = [(row, 3.0) for row in range(1000, 1200)]
    fused = fuse_scores(dense, _words(words), 200, weight=0.3)
    assert all(row >= 1000 for row, _ in fused)
    assert [row for row, _ in fuse_scores(dense, _words(words), 200, weight=0.0)] == [
        row for row, _ in words
    ]


def test_few_words_of_many_say_little():
    dense = [(1, 0.9), (2, 0.1)]
    weak = KeywordRanking(pairs=[(2, 1.0)], bound=1000.0)
    strong = KeywordRanking(pairs=[(2, 1.0)], bound=1.0)
    assert fuse_scores(dense, weak, 2, weight=0.4)[0][0] == 1
    assert fuse_scores(dense, strong, 2, weight=0.4)[0][0] == 2


@pytest.fixture
def index(tmp_path, words_encoder):
    with Index.create(tmp_path / "i", encoder=words_encoder) as index:
        index.upsert([str(n) for n in range(len(TEXTS))], documents=TEXTS)
        yield index


def _keys(hits):
    return [hit.key for hit in hits]


@pytest.mark.parametrize("query", ["cat", "cat boat rain", "river sun"])
def test_weights_at_the_ends_are_the_single_modes(index, query):
    assert _keys(index.search(query, weight=1.0)) == _keys(index.search(query, mode="dense"))
    words = _keys(index.search(query, mode="keyword"))
    assert words
    assert _keys(index.search(query, weight=0.0))[: len(words)] == words


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), float("inf"), "0.5", True, [0.5]])
def test_a_weight_that_is_no_share(index, weight):
    with pytest.raises(InputError, match="weight: expected"):
        index.search("cat", weight=weight)


def test_reciprocal_ranks_have_no_weight(index):
    with pytest.raises(InputError, match="weight: expected fusion='convex' with it"):
        index.search("cat", weight=0.5, fusion="rrf")
    with pytest.raises(InputError, match="fusion: expected"):
        index.search("cat", fusion="borda")


def test_the_weight_of_the_encoder_is_the_default(index, make_words_encoder):
    for weight in (0.0, 0.5, 0.9):
        encoder = make_words_encoder(search_profile=SearchProfile(weight=weight))
        with Index.open(index.path, encoder=encoder) as same:
            assert same.search("cat rain") == same.search("cat rain", weight=weight)


def test_an_index_of_one_document_answers(tmp_path, words_encoder):
    with Index.create(tmp_path / "one", encoder=words_encoder) as index:
        assert index.search("cat") == []
        index.upsert(["a"], documents=["the cat"])
        for query in ("cat", "the", "dog", "the cat", "nothing known"):
            for mode in ("hybrid", "keyword"):
                assert len(index.search(query, mode=mode)) <= 1
        assert _keys(index.search("the", mode="keyword")) == ["a"]
        assert index.search("cat")[0].score == pytest.approx(1.0)


def test_equal_documents_come_in_the_order_of_writing(tmp_path, words_encoder):
    with Index.create(tmp_path / "same", encoder=words_encoder) as index:
        index.upsert([str(n) for n in range(300)], documents=["cat house"] * 300)
        for weight in (0.0, 0.5, 1.0):
            assert _keys(index.search("cat", 300, weight=weight)) == [str(n) for n in range(300)]


def test_search_many_equals_search(index):
    queries = ["cat", '"river rain"', "boat -river", "unknown words", "dog house"]
    for options in ({}, {"fusion": "rrf"}, {"mode": "keyword"}, {"weight": 0.2}, {"context": 1}):
        many = index.search_many(queries, 3, **options)
        assert many == [index.search(query, 3, **options) for query in queries]
    assert index.search_many([]) == []
