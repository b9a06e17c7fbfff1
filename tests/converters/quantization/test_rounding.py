"""GPTQ: weights on 8-bit levels, and outputs nearer to the original's than by rounding each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgeembed_converters.quantization.integer.rounding import _factor_of_inverse, rounded_weight
from edgeembed_converters.quantization.trial.bits import LEVELS


def inputs(seed, tokens, channels):
    """Correlated channels of different sizes, as activations are."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((channels, channels)) * rng.lognormal(0, 1, channels)
    return (rng.standard_normal((tokens, channels)) @ mixing).astype(np.float32)


def output_error(x, weight, found):
    kept = found.levels * found.scales
    return np.linalg.norm(x @ (kept - weight)) / np.linalg.norm(x @ weight)


@pytest.mark.parametrize("bits", [7, 8])
@pytest.mark.parametrize("channels", [16, 300])  # less and more than a block
def test_outputs_are_nearer_than_by_rounding_each_weight(bits, channels):
    weight = np.random.default_rng(1).standard_normal((channels, 24)).astype(np.float32)
    seen, unseen = inputs(2, 8000, channels)[:4000], inputs(2, 8000, channels)[4000:]
    nearest = rounded_weight(weight, None, bits)
    made = rounded_weight(weight, seen.T @ seen, bits)
    assert output_error(unseen, weight, made) < 0.97 * output_error(unseen, weight, nearest)
    np.testing.assert_array_equal(made.scales, nearest.scales)


def test_the_factor_is_that_of_the_inverse():
    x = inputs(0, 200, 40).astype(np.float64)
    gram = x.T @ x
    factor = _factor_of_inverse(gram)
    np.testing.assert_array_equal(factor, np.triu(factor))
    np.testing.assert_allclose(factor.T @ factor @ gram, np.eye(40), atol=1e-6)


def test_inputs_that_do_not_go_together_leave_the_nearest_levels():
    weight = np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
    nearest = rounded_weight(weight, None, 8)
    made = rounded_weight(weight, np.diag(np.arange(1.0, 33)), 8)
    np.testing.assert_array_equal(made.levels, nearest.levels)
    assert (np.abs(nearest.levels * nearest.scales - weight) <= nearest.scales / 2 + 1e-6).all()


def test_a_layer_that_saw_only_zeros_is_rounded_to_the_nearest():
    weight = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    made = rounded_weight(weight, np.zeros((8, 8)), 8)
    np.testing.assert_array_equal(made.levels, rounded_weight(weight, None, 8).levels)


def test_channels_that_are_always_zero_do_no_harm():
    x = inputs(0, 500, 16)
    x[:, 3] = 0
    weight = np.random.default_rng(1).standard_normal((16, 8)).astype(np.float32)
    assert output_error(x, weight, rounded_weight(weight, x.T @ x, 8)) < 0.01


@settings(max_examples=60, deadline=None)
@given(
    weight=arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 6)),
        elements=st.floats(-9, 9, width=32),
    ),
    seed=st.integers(0, 2**16),
    bits=st.sampled_from([7, 8]),
)
def test_levels_are_whole_numbers_within_the_width(weight, seed, bits):
    x = inputs(seed, 30, len(weight))
    made = rounded_weight(weight, x.T @ x, bits)
    assert made.levels.dtype == np.int8
    assert made.levels.shape == weight.shape
    assert made.scales.shape == (weight.shape[1],)
    assert np.abs(made.levels.astype(int)).max(initial=0) <= LEVELS[bits]
    assert np.isfinite(made.scales).all()
    assert (made.scales > 0).all()


@pytest.mark.parametrize("bits", [7, 8])
def test_weights_too_small_for_a_scale_of_their_own_round_to_zero(bits):
    found = rounded_weight(np.array([[1e-45, 0.5]], np.float32), None, bits)
    assert found.levels.tolist() == [[0, LEVELS[bits]]]
    assert (found.scales > 0).all()
