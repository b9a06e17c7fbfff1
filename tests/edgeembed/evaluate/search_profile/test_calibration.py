"""The curve from cosine to probability, on hits whose true probabilities are known."""

from dataclasses import replace

import numpy as np
import pytest

from edgeembed.evaluate.search_profile.calibration import (
    RatedHits,
    cross_validated,
    fit_calibration,
    rated,
    reliability,
)
from edgeembed.evaluate.search_profile.judged_index import BestHit
from edgeembed_runtime.bundle import Calibration

TRUE = Calibration(slope=12.0, intercept=-6.0)


def made_hits(n, *, seed=0, low=0.0, high=1.0):
    """Queries whose best hit is as likely to be relevant as TRUE says, with an answer or not."""
    rng = np.random.default_rng(seed)

    def hit(*, has_answer):
        # Where there is an answer, the best hit is nearer.
        cosine = rng.uniform(low, high if has_answer else (low + high) / 2)
        relevant = has_answer and rng.random() < TRUE.probability(cosine)
        return BestHit(cosine=cosine, relevant=bool(relevant), has_answer=has_answer)

    return [(hit(has_answer=True), hit(has_answer=False)) for _ in range(n)]


def with_cosines(queries, change):
    return [tuple(replace(h, cosine=change(h.cosine)) for h in both) for both in queries]


def test_the_mean_probability_is_the_share_of_relevant_hits():
    sets = {"a": made_hits(400)}
    curve = fit_calibration(sets)
    assert curve is not None
    found = rated(sets["a"], curve)
    assert found.weights @ found.probabilities == pytest.approx(
        found.weights @ found.relevant, abs=0.005
    )
    assert found.has_answer.sum() == 400 == (~found.has_answer).sum()


def test_every_data_set_counts_the_same():
    small, large = made_hits(100, seed=1), made_hits(100, seed=2, low=0.5)
    alike = fit_calibration({"small": small, "large": large})
    uneven = fit_calibration({"small": small, "large": large * 20})
    lumped = fit_calibration({"all": small + large * 20})
    assert alike is not None and uneven is not None and lumped is not None
    assert uneven.cosine(0.2) == pytest.approx(alike.cosine(0.2), abs=0.02)
    assert abs(lumped.cosine(0.2) - alike.cosine(0.2)) > 0.02


def test_cosines_in_a_narrow_high_band_are_spread_out():
    wide = fit_calibration({"a": made_hits(300)})
    narrow = fit_calibration({"a": with_cosines(made_hits(300), lambda c: 0.7 + 0.2 * c)})
    assert wide is not None and narrow is not None
    assert narrow.slope == pytest.approx(5 * wide.slope)
    assert narrow.probability(0.86) == pytest.approx(wide.probability(0.8))


def test_cosines_that_say_nothing_give_no_curve():
    upside_down = [
        (replace(a, cosine=1 - a.cosine), replace(b, cosine=1.0)) for a, b in made_hits(200)
    ]
    assert fit_calibration({"a": upside_down}) is None
    assert cross_validated({"a": upside_down}, seed=0) is None
    assert fit_calibration({"a": with_cosines(made_hits(50), lambda _: 0.5)}) is None
    assert fit_calibration({"a": [(b, b) for _, b in made_hits(50)]}) is None
    assert fit_calibration({"a": [(), ()]}) is None


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
        RatedHits(
            probabilities=np.array([0.9, 0.3, 0.1, 0.6, 0.3]),
            relevant=np.array([True, True, False, False, False]),
            has_answer=np.array([True, True, True, False, False]),
        )
    )
    possible, likely = trust.errors
    assert (possible.at, possible.false_alarms, possible.misses) == (0.15, 1, pytest.approx(1 / 3))
    assert (likely.at, likely.false_alarms, likely.misses) == (0.5, 0.5, pytest.approx(2 / 3))
    # Hits with an answer count 0.9 together, the others 0.1.
    assert trust.brier == pytest.approx(0.3 * (0.01 + 0.49 + 0.01) + 0.05 * (0.36 + 0.09))
    assert trust.brier_of_mean == pytest.approx(0.24)
    errors = 0.3 * (0.1 + 0.1) + abs(0.3 * -0.7 + 0.05 * 0.3) + 0.05 * 0.6
    assert trust.calibration_error == pytest.approx(errors)


def test_the_cosine_of_a_probability_is_the_way_back():
    for probability in (0.2, 0.5, 0.9):
        assert TRUE.probability(TRUE.cosine(probability)) == pytest.approx(probability)
