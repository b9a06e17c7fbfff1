"""What is done with vectors after the model, against numpy and sentence-transformers' rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.vectors import (
    SIMILARITIES,
    calibration_ranges,
    normalize,
    similarity_matrix,
    to_precision,
    truncate,
)

values = st.floats(-100, 100, width=32, allow_subnormal=False)
matrices = arrays.arrays(
    np.float32, st.tuples(st.integers(0, 6), st.sampled_from([8, 16, 24])), elements=values
)


@given(matrices)
def test_normalized_rows_have_unit_length_and_their_direction(vectors):
    found = normalize(vectors)
    assert found.dtype == np.float32
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    for row, unit, length in zip(vectors, found, lengths, strict=True):
        if length > 1e-6:
            np.testing.assert_allclose(unit, row / length, atol=1e-6)
        assert np.isfinite(unit).all()


def test_a_row_of_zeros_stays_zero():
    assert (normalize(np.zeros((2, 4), np.float32)) == 0).all()


@given(matrices)
def test_ubinary_is_packed_bits_of_positive_components(vectors):
    found = to_precision(vectors, "ubinary")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.packbits(vectors > 0, axis=1))


@given(matrices)
def test_binary_is_ubinary_less_128_as_int8(vectors):
    found = to_precision(vectors, "binary")
    assert found.dtype == np.int8
    expected = np.packbits(vectors > 0, axis=1).astype(np.int16) - 128
    np.testing.assert_array_equal(found, expected)


def test_the_bits_of_a_known_vector():
    vector = np.array([1, -1, 0, 2, -0.0, 1e-30, -5, 3], np.float32)
    assert to_precision(vector, "ubinary").tolist() == [0b10010101]
    assert to_precision(vector, "binary").tolist() == [0b10010101 - 128]


@given(matrices)
def test_float16_is_rounded_and_float32_is_untouched(vectors):
    np.testing.assert_array_equal(to_precision(vectors, "float16"), vectors.astype(np.float16))
    assert to_precision(vectors, "float32") is vectors


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
def test_bits_need_a_dim_divisible_by_eight(precision):
    with pytest.raises(InputError, match="divisible by 8, got 12"):
        to_precision(np.ones((1, 12), np.float32), precision)


@given(matrices, st.integers(1, 8))
def test_truncation_keeps_the_first_components(vectors, dim):
    np.testing.assert_array_equal(truncate(vectors, dim, unit=False), vectors[:, :dim])
    np.testing.assert_array_equal(truncate(vectors, dim, unit=True), normalize(vectors[:, :dim]))


@pytest.mark.parametrize("dim", [0, -1, 17, 2.5, "8", [8], None])
def test_a_length_that_the_vectors_do_not_have_is_an_input_error(dim):
    with pytest.raises(InputError, match="truncate_dim: expected 1 to 16"):
        truncate(np.ones((2, 16), np.float32), dim, unit=True)


def in_numpy(a, b, kind):
    a, b = np.atleast_2d(a).astype(np.float64), np.atleast_2d(b).astype(np.float64)
    if kind == "dot":
        return a @ b.T
    if kind == "cosine":
        lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None]
        return (a @ b.T) / np.maximum(lengths, 1e-12)
    difference = a[:, None] - b[None]
    if kind == "euclidean":
        return -np.sqrt((difference**2).sum(2))
    return -np.abs(difference).sum(2)


@pytest.mark.parametrize("kind", SIMILARITIES)
@pytest.mark.parametrize("shapes", [((3, 16), (5, 16)), ((1, 4), (1, 4)), ((4,), (2, 4))])
def test_similarities_are_what_numpy_says(kind, shapes):
    generator = np.random.default_rng(7)
    a, b = (generator.normal(size=shape).astype(np.float32) for shape in shapes)
    found = similarity_matrix(a, b, kind)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, in_numpy(a, b, kind), atol=2e-5)


@pytest.mark.parametrize("kind", SIMILARITIES)
def test_similarities_of_no_vectors_are_an_empty_matrix(kind):
    none, some = np.zeros((0, 4), np.float32), np.ones((3, 4), np.float32)
    assert similarity_matrix(none, some, kind).shape == (0, 3)
    assert similarity_matrix(some, none, kind).shape == (3, 0)


@pytest.mark.parametrize("kind", SIMILARITIES)
def test_a_vector_is_nearest_to_itself(kind):
    some = normalize(np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32))
    assert similarity_matrix(some, some, kind).argmax(1).tolist() == list(range(20))


def test_vectors_of_two_lengths_cannot_be_compared():
    with pytest.raises(InputError, match="same length, got 4 and 8"):
        similarity_matrix(np.ones((1, 4)), np.ones((1, 8)), "cosine")


@pytest.mark.parametrize("shape", [(), (1, 2, 3)])
def test_what_is_no_list_of_vectors_cannot_be_compared(shape):
    with pytest.raises(InputError, match="expected shape"):
        similarity_matrix(np.ones(shape), np.ones((1, 3)), "dot")


@given(matrices, st.floats(-50, 50), st.floats(1, 100))
def test_eight_bits_are_what_sentence_transformers_gives_within_the_ranges(vectors, low, width):
    quantize = pytest.importorskip("sentence_transformers.util.quantization").quantize_embeddings
    ranges = np.stack([np.full(vectors.shape[1], low), np.full(vectors.shape[1], low + width)])
    ranges = ranges.astype(np.float32)
    inside = np.clip(vectors, ranges[0], ranges[1])
    for precision in ("int8", "uint8"):
        found = to_precision(inside, precision, ranges)
        assert found.dtype == np.dtype(precision)
        if len(inside):
            np.testing.assert_array_equal(found, quantize(inside, precision, ranges=ranges))


@given(matrices.filter(len))
def test_what_lies_outside_the_ranges_becomes_the_nearest_step(vectors):
    ranges = np.stack([np.full(vectors.shape[1], -1), np.full(vectors.shape[1], 1)])
    found = to_precision(vectors, "uint8", ranges)
    assert (found[vectors <= -1] == 0).all()
    assert (found[vectors >= 1] >= 254).all()  # 255 steps in float32 may round down to 254
    assert (found[vectors > 1.01] == 255).all()
    order = np.argsort(vectors, axis=0, kind="stable")
    assert (np.diff(np.take_along_axis(found, order, axis=0).astype(int), axis=0) >= 0).all()


def test_a_component_that_never_changes_is_one_step():
    vectors = np.full((3, 8), 0.25, np.float32)
    found = to_precision(vectors, "int8", calibration_ranges(vectors))
    assert len(np.unique(found)) == 1


UPSIDE_DOWN = np.array([[1.0] * 8, [0.0] * 8])


@pytest.mark.parametrize(
    "ranges", [None, np.zeros(8), np.zeros((2, 4)), UPSIDE_DOWN, [[np.nan] * 8] * 2]
)
def test_ranges_that_do_not_fit_are_an_input_error(ranges):
    with pytest.raises(InputError, match=r"ranges: expected finite minimum and maximum .*\(2, 8\)"):
        to_precision(np.zeros((1, 8), np.float32), "int8", ranges)


def test_calibration_takes_the_extremes_of_each_component_and_widens_them():
    vectors = np.array([[0, 10], [4, 20], [2, 30]], np.float32)
    np.testing.assert_array_equal(calibration_ranges(vectors), [[0, 10], [4, 30]])
    np.testing.assert_array_equal(calibration_ranges(vectors, margin=0.5), [[-2, 0], [6, 40]])


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros((1, 4)), np.array([[np.inf] * 4] * 2)])
def test_calibration_needs_vectors(wrong):
    with pytest.raises(InputError, match=r"vectors: expected .n, d. finite numbers"):
        calibration_ranges(wrong)
