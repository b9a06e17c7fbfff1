"""Metrics against independent implementations: scipy, scikit-learn, trec_eval itself."""

import math

import numpy as np
import pytest
import pytrec_eval
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from edgeembed.evaluate.metrics import association, geometry
from edgeembed.evaluate.metrics.ranking import average_precision, ndcg, recall, reciprocal_rank
from edgeembed.evaluate.metrics.similarity import pearson, similarity_pairs, spearman
from edgeembed_runtime.vectors import SIMILARITIES, similarity_matrix

EXACT = 1e-9


@given(st.integers(0, 10_000), st.integers(2, 60), st.booleans())
def test_correlations_are_scipys_with_and_without_ties(seed, count, ties):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, count))
    if ties:
        a, b = np.round(a), np.round(b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert math.isnan(pearson(a, b))
        assert math.isnan(spearman(a, b))
        return
    assert pearson(a, b) == pytest.approx(scipy.stats.pearsonr(a, b)[0], abs=EXACT)
    assert spearman(a, b) == pytest.approx(scipy.stats.spearmanr(a, b)[0], abs=EXACT)


def test_one_value_or_none_has_no_correlation():
    for count in (0, 1):
        assert math.isnan(spearman(np.zeros(count), np.ones(count)))


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
def test_ranking_metrics_are_trec_evals(seed, found, judged):
    rng = np.random.default_rng(seed)
    gains = {f"d{n}": int(g) for n, g in enumerate(rng.integers(0, 4, judged))}
    ranking = [f"d{n}" for n in rng.permutation(max(found, judged))[:found]]
    measures = {"ndcg_cut.10", "recall.5,100", "recip_rank", "map_cut.100"}
    run = {"q": {name: float(-rank) for rank, name in enumerate(ranking)}}
    theirs = pytrec_eval.RelevanceEvaluator({"q": gains}, measures).evaluate(run)["q"]
    ranked = np.array([gains.get(name, 0) for name in ranking], float)
    every = np.array(list(gains.values()), float)
    assert ndcg(ranked, every, 10) == pytest.approx(theirs["ndcg_cut_10"], abs=EXACT)
    assert recall(ranked, every, 5) == pytest.approx(theirs["recall_5"], abs=EXACT)
    assert recall(ranked, every, 100) == pytest.approx(theirs["recall_100"], abs=EXACT)
    assert reciprocal_rank(ranked, 100) == pytest.approx(theirs["recip_rank"], abs=EXACT)
    assert average_precision(ranked, every, 100) == pytest.approx(theirs["map_cut_100"], abs=EXACT)


def test_mrr_looks_no_deeper_than_asked():
    assert reciprocal_rank(np.array([0.0, 0.0, 1.0]), 2) == 0.0
    assert reciprocal_rank(np.array([0.0, 0.0, 1.0]), 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", SIMILARITIES)
def test_pairs_are_the_diagonal_of_all_against_all(kind):
    a, b = np.random.default_rng(1).standard_normal((2, 20, 6)).astype(np.float32)
    expected = np.diagonal(similarity_matrix(a, b, kind))
    np.testing.assert_allclose(similarity_pairs(a, b, kind), expected, atol=1e-5)


def test_a_zero_vector_is_like_nothing():
    zero, one = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert similarity_pairs(zero, one, "cosine")[0] == 0


def test_geometry_is_what_its_formulas_say():
    a, b = np.random.default_rng(2).standard_normal((2, 50, 5))
    unit_a, unit_b = (rows / np.linalg.norm(rows, axis=1)[:, None] for rows in (a, b))
    distances = np.diagonal(cdist(unit_a, unit_b, "sqeuclidean")).astype(np.float64)
    np.testing.assert_allclose(geometry.squared_distances(a, b), distances, atol=EXACT)
    assert geometry.alignment(distances) == pytest.approx(distances.mean())
    assert geometry.uniformity(distances) == pytest.approx(math.log(np.exp(-2 * distances).mean()))
    cosines = (unit_a * unit_b).sum(axis=1)
    assert geometry.anisotropy(distances) == pytest.approx(cosines.mean(), abs=EXACT)


def test_effect_size_is_the_papers_formula():
    rng = np.random.default_rng(3)
    x, y, a, b = (rng.standard_normal((n, 7)) for n in (5, 6, 4, 3))

    def s(word):
        def cosine(other):
            return word @ other / np.linalg.norm(word) / np.linalg.norm(other)

        return np.mean([cosine(w) for w in a]) - np.mean([cosine(w) for w in b])

    on_x, on_y = [s(w) for w in x], [s(w) for w in y]
    expected = (np.mean(on_x) - np.mean(on_y)) / np.std([*on_x, *on_y], ddof=1)
    found = association.effect_size(
        association.associations(x, a, b), association.associations(y, a, b)
    )
    assert found == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize(("shift", "count"), [(0.0, 6), (0.5, 6), (2.0, 8)])
def test_permutation_p_value_is_scipys_exact_one(shift, count):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal(count) + shift, rng.standard_normal(count)
    theirs = scipy.stats.permutation_test(
        (x, y),
        lambda a, b: a.mean() - b.mean(),
        alternative="greater",
        n_resamples=np.inf,  # pyright: ignore[reportArgumentType]
    )
    ours = association.permutation_p_value(x, y, samples=100, seed=0)
    assert ours == pytest.approx(theirs.pvalue, abs=EXACT)


def test_sampled_p_value_is_near_the_exact_one_and_never_zero():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal(25) + 0.4, rng.standard_normal(25)
    theirs = scipy.stats.permutation_test(
        (x, y),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        alternative="greater",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    ours = association.permutation_p_value(x, y, samples=20_000, seed=0)
    assert ours == pytest.approx(theirs.pvalue, abs=0.01)
    assert association.permutation_p_value(x + 100, y, samples=50, seed=0) == pytest.approx(1 / 51)
    again = association.permutation_p_value(x, y, samples=20_000, seed=0)
    assert ours == again


def test_a_projection_is_a_cosine_to_the_difference_of_means():
    a, b = np.array([[1.0, 0.0]]), np.array([[-2.0, 0.0]])
    found = association.projections(np.array([[3.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), a, b)
    np.testing.assert_allclose(found, [1, 0, -1], atol=EXACT)


def test_equal_associations_have_no_effect_size():
    assert math.isnan(association.effect_size(np.ones(3), np.ones(3)))
