"""Which weight of the cosine is chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed.evaluate.search_profile.weights import (
    MAX_LOSS,
    WEIGHTS,
    WeightCurve,
    choose_weight,
)


def curve(*hybrid, dense=0.0, keyword=0.0):
    return WeightCurve(dense=dense, keyword=keyword, hybrid=dict(zip(WEIGHTS, hybrid, strict=True)))


def test_the_best_mean_of_the_sets_is_chosen():
    one = curve(0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2)
    other = curve(0, 5, 9, 9, 9, 3, 0, 0, 0, 0, 0)
    assert choose_weight([one]) == 0.6
    assert choose_weight([one, other]) == 0.3


def test_among_equals_the_middle_is_chosen():
    assert choose_weight([curve(0, 1, 7, 7, 7, 7, 7, 7, 7, 0, 0)]) == 0.5
    assert choose_weight([curve(0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7)]) == 0.9


def test_a_single_weight_that_jumps_out_does_not_decide():
    assert choose_weight([curve(0, 5, 6, 7, 6, 5, 0, 7.4, 0, 0, 0)]) == 0.3
    assert choose_weight([curve(0, 1, 4, 6.9, 7.2, 6.8, 7.3, 6.8, 4, 3, 2)]) == 0.5


def test_a_weight_that_loses_nowhere_goes_before_a_better_mean():
    greedy = curve(50, 50, 60, 60, 60, 90, 60, 60, 60, 60, 60)
    harmed = curve(70, 70, 70, 60, 60, 60, 60, 60, 60, 60, 60, keyword=70)
    assert choose_weight([greedy, harmed]) == 0.2


def test_where_every_weight_loses_somewhere_the_mean_decides():
    one = curve(*[10] * 5, 40, *[10] * 5, dense=50)
    other = curve(*[10] * 11, keyword=50)
    assert choose_weight([one, other]) == 0.5
    assert one.gain(0.5) == pytest.approx(-10)


points = st.floats(0, 100, width=32)


@given(
    st.lists(
        st.tuples(st.lists(points, min_size=11, max_size=11), points, points),
        min_size=1,
        max_size=4,
    )
)
def test_the_promise_holds_wherever_it_can(drawn):
    curves = [curve(*hybrid, dense=dense, keyword=keyword) for hybrid, dense, keyword in drawn]
    chosen = choose_weight(curves)
    assert chosen in WEIGHTS
    if any(all(each.gain(w) >= -MAX_LOSS for each in curves) for w in WEIGHTS):
        assert all(each.gain(chosen) >= -MAX_LOSS for each in curves)
