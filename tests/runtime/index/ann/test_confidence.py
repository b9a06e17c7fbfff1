"""The lower bound of recall holds, for any distribution and wherever it is stopped."""

import numpy as np
import pytest

from edgeembed_runtime.index.ann.confidence import can_be_proven, is_proven, lower_bound

RUNS = 1000


def draws(kind, mean, count, rng):
    if kind == "all or nothing":
        return np.where(rng.random(count) < mean, 1.0, 0.0)
    if kind == "one of ten":
        return np.where(rng.random(count) < 10 * mean, 0.1, 0.0)
    return rng.beta(0.05, 0.05 / mean - 0.05, count)


@pytest.mark.parametrize("kind", ["all or nothing", "one of ten", "skewed"])
def test_a_recall_that_is_not_there_is_rarely_proven_by_any_prefix(kind):
    rng = np.random.default_rng(0)
    wrong = sum(is_proven(draws(kind, 0.0101, 2000, rng), 0.99, 0.01) for _ in range(RUNS))
    assert wrong <= 20  # of 1000 at 1 %: more have a probability of 0.2 % at most


def test_twice_as_good_as_asked_for_is_mostly_proven():
    rng = np.random.default_rng(1)
    proven = sum(is_proven(draws("one of ten", 0.004, 1800, rng), 0.99, 0.005) for _ in range(100))
    assert proven > 90


def test_the_bound_is_what_is_just_proven():
    losses = draws("one of ten", 0.004, 1800, np.random.default_rng(2))
    bound = lower_bound(losses, 0.01)
    assert 0.98 < bound < 0.996
    assert is_proven(losses, bound - 1e-6, 0.01)
    assert not is_proven(losses, bound + 1e-6, 0.01)
    assert lower_bound(np.empty(0), 0.01) == 0


def test_more_losses_never_prove_more():
    rng = np.random.default_rng(3)
    losses = draws("one of ten", 0.005, 1000, rng)
    worse = np.minimum(1, losses + 0.1 * (rng.random(1000) < 0.01))
    assert lower_bound(worse, 0.01) <= lower_bound(losses, 0.01)


def test_giving_up_is_final():
    assert can_be_proven(np.empty(0), 0.99, 0.005, 700)
    assert not can_be_proven(np.empty(0), 0.99, 0.005, 600)
    assert not can_be_proven(np.ones(10), 0.99, 0.005, 1000)
    assert not can_be_proven(np.zeros(1000), 1.0, 0.005, 10**6)
