"""The curve from cosine to probability, on hits whose true probabilities are known."""

import numpy as np
import pytest

from edgeembed.evaluate.search_profile.calibration import (
    BestHits,
    best_hits,
    cross_validated,
    fit_calibration,
    reliability,
)
from edgeembed.evaluate.search_profile.judged_index import JudgedHits
from edgeembed_runtime.bundle import Calibration

TRUE = Calibration(slope=12.0, intercept=-6.0)


def made_hits(n, *, seed=0, low=0.0, high=1.0):
    """Queries of ten hits; the best is as likely to be relevant as TRUE says."""
    rng = np.random.default_rng(seed)

    def hits(*, has_answer):
        # Where there is an answer, the best hit is the nearer the likelier.
        best = rng.uniform(low, high if has_answer else (low + high) / 2)
        cosines = best * np.linspace(1.0, 0.5, 10)
        chances = [TRUE.probability(each) for each in cosines]
        relevant = rng.random(10) < chances if has_answer else np.zeros(10, np.bool_)
        return JudgedHits(cosines=cosines, relevant=relevant, has_answer=has_answer)

    return [(hits(has_answer=True), hits(has_answer=False)) for _ in range(n)]


def test_the_mean_probability_of_best_hits_is_the_share_of_relevant_ones():
    sets = {"a": made_hits(400)}
    curve = fit_calibration(sets)
    assert curve is not None
    best = best_hits(sets["a"], curve)
    assert best.probabilities.mean() == pytest.approx(best.relevant.mean(), abs=0.005)
    assert best.has_answer.sum() == 400 == (~best.has_answer).sum()


def test_every_data_set_counts_the_same():
    small, large = made_hits(100, seed=1, low=0.7), made_hits(1000, seed=2, high=0.5)
    alike = fit_calibration({"small": small, "large": large[:100]})
    uneven = fit_calibration({"small": small, "large": large})
    lumped = fit_calibration({"all": small + large})
    assert alike is not None and uneven is not None and lumped is not None
    assert abs(uneven.cosine(0.2) - alike.cosine(0.2)) < abs(lumped.cosine(0.2) - alike.cosine(0.2))


def test_cosines_in_a_narrow_high_band_are_spread_out():
    sets = {"a": [(_squeezed(a), _squeezed(b)) for a, b in made_hits(300)]}
    curve = fit_calibration(sets)
    assert curve is not None
    assert curve.probability(0.9) - curve.probability(0.7) > 0.3


def _squeezed(hits):
    cosines = 0.7 + 0.2 * hits.cosines
    return JudgedHits(cosines=cosines, relevant=hits.relevant, has_answer=hits.has_answer)


def test_cosines_that_say_nothing_give_no_curve():
    upside_down = [
        (
            JudgedHits(cosines=1 - a.cosines, relevant=a.relevant, has_answer=True),
            JudgedHits(cosines=b.cosines, relevant=b.relevant, has_answer=False),
        )
        for a, b in made_hits(200)
    ]
    assert fit_calibration({"a": upside_down}) is None
    assert cross_validated({"a": upside_down}, seed=0) is None
    none_relevant = [(b, b) for _, b in made_hits(50)]
    assert fit_calibration({"a": none_relevant}) is None
    nothing = JudgedHits(cosines=np.empty(0), relevant=np.empty(0, np.bool_), has_answer=True)
    assert fit_calibration({"a": [(nothing, nothing)]}) is None


def test_held_out_probabilities_are_reliable_where_the_curve_is_right():
    found = cross_validated({"a": made_hits(800), "b": made_hits(800, seed=3)}, seed=0)
    assert found is not None
    trust = reliability(found["a"])
    assert len(found["a"].probabilities) == 1600
    assert trust.calibration_error < 0.1
    assert trust.brier < trust.brier_of_mean
    again = cross_validated({"a": made_hits(800), "b": made_hits(800, seed=3)}, seed=0)
    assert again is not None
    assert np.array_equal(found["a"].probabilities, again["a"].probabilities)


def test_reliability_counts_what_users_see():
    trust = reliability(
        BestHits(
            probabilities=np.array([0.9, 0.3, 0.1, 0.6, 0.3]),
            relevant=np.array([True, True, False, False, False]),
            has_answer=np.array([True, True, True, False, False]),
        )
    )
    possible, likely = trust.errors
    assert (possible.at, possible.false_alarms, possible.misses) == (0.2, 1, pytest.approx(1 / 3))
    assert (likely.at, likely.false_alarms, likely.misses) == (0.5, 0.5, pytest.approx(2 / 3))
    assert trust.brier == pytest.approx((0.01 + 0.49 + 0.01 + 0.36 + 0.09) / 5)
    assert trust.brier_of_mean == pytest.approx(0.24)
    assert trust.calibration_error == pytest.approx((0.1 + 0.4 + 0.1 + 0.6) / 5)


def test_the_cosine_of_a_probability_is_the_way_back():
    for probability in (0.2, 0.5, 0.9):
        assert TRUE.probability(TRUE.cosine(probability)) == pytest.approx(probability)
