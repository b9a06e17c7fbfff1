"""Long texts: chunk=True and encode_chunks, against a computation of their own in numpy."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError

LONG = "The cat sat on the mat. A train leaves the station at noon. " * 15
words = st.sampled_from(["the", "cat", "sat.", "running", "東京", "\n", "x" * 12])
some_texts = st.lists(st.lists(words, max_size=120).map(" ".join), max_size=6)


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, variant="fp32") as made:
        yield made


def pooled(encoder, text, prompt=""):
    """The mean of the chunks' vectors by their tokens, with unit length."""
    parts = encoder.encode_chunks(text, prompt=prompt)
    weights = np.array(encoder.count_tokens([chunk.text for chunk in parts.chunks]), np.float64)
    mean = (parts.vectors.astype(np.float64) * weights[:, None]).sum(0) / weights.sum()
    return mean / np.linalg.norm(mean)


def test_a_long_text_is_the_mean_of_its_chunks_by_tokens(encoder):
    found = encoder.encode(LONG, chunk=True)
    np.testing.assert_allclose(found, pooled(encoder, LONG), atol=1e-6)
    assert np.abs(found - encoder.encode(LONG)).max() > 1e-3


@given(texts=some_texts)
def test_any_list_is_pooled_text_by_text_and_short_ones_keep_their_bytes(encoder, texts):
    found = encoder.encode(texts, chunk=True)
    streamed = list(encoder.encode_iter(texts, chunk=True))
    assert found.shape == (len(texts), encoder.dim)
    for text, vector, same in zip(texts, found, streamed, strict=True):
        assert vector.tobytes() == same.tobytes()
        if encoder.count_tokens(text) <= encoder.max_tokens:
            assert vector.tobytes() == encoder.encode(text).tobytes()
        else:
            np.testing.assert_allclose(vector, pooled(encoder, text), atol=1e-6)


def test_chunks_have_their_places_overlap_and_fit_with_the_prompt(encoder):
    prompt = encoder.prompts["document"]
    text = "The cat sat on the mat. " * 30
    parts = encoder.encode_chunks(text, prompt_name="document", overlap_tokens=8)
    assert len(parts.chunks) == len(parts.vectors) > 5
    for chunk, vector in zip(parts.chunks, parts.vectors, strict=True):
        assert text[chunk.start : chunk.end] == chunk.text
        assert encoder.count_tokens(prompt + chunk.text) <= encoder.max_tokens
        assert vector.tobytes() == encoder.encode(chunk.text, prompt=prompt).tobytes()
    pairs = zip(parts.chunks, parts.chunks[1:], strict=False)
    assert any(after.start < before.end for before, after in pairs)


def test_size_and_overlap_may_be_chosen(encoder):
    small = encoder.encode_chunks(LONG, max_tokens=8, overlap_tokens=0)
    assert len(small.chunks) > len(encoder.encode_chunks(LONG).chunks)
    assert max(encoder.count_tokens([c.text for c in small.chunks])) <= 8 + 2
    assert all(a.end <= b.start for a, b in zip(small.chunks, small.chunks[1:], strict=False))


def test_a_prompt_is_before_every_chunk(encoder):
    found = encoder.encode(LONG, chunk=True, prompt="hey ")
    np.testing.assert_allclose(found, pooled(encoder, LONG, prompt="hey "), atol=1e-6)


def test_white_space_has_no_chunks_but_a_vector(encoder):
    assert encoder.encode_chunks(" \n ").chunks == ()
    assert encoder.encode_chunks(" \n ").vectors.shape == (0, encoder.dim)
    found = encoder.encode([" " * 500], chunk=True)
    np.testing.assert_array_equal(found, encoder.encode([" " * 500]))


def test_a_prompt_that_leaves_no_room_is_an_input_error(encoder):
    with pytest.raises(InputError, match="prompt: expected one shorter than 32 tokens"):
        encoder.encode_chunks(LONG, prompt="the cat " * 30)
    with pytest.raises(InputError, match="prompt: expected one shorter than 32 tokens"):
        encoder.encode([LONG], chunk=True, prompt="the cat " * 30)


def test_a_bad_text_is_named_by_its_own_position_not_a_chunk_s(encoder):
    with pytest.raises(InputError, match=r"inputs\[2\]: text: expected valid Unicode"):
        encoder.encode([LONG, LONG, "\ud800" + LONG], chunk=True)


def test_vectors_before_a_bad_text_come_first(encoder):
    results = encoder.encode_iter([LONG, "\ud800"], chunk=True)
    np.testing.assert_allclose(next(results), pooled(encoder, LONG), atol=1e-6)
    with pytest.raises(InputError, match=r"inputs\[1\]"):
        next(results)


def test_vectors_of_a_model_without_unit_length_are_plain_means(tmp_path):
    from helpers import tiny_bundle

    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", normalized=False)
    with Encoder.load(path, variant="fp32") as made:
        parts = made.encode_chunks(LONG)
        weights = made.count_tokens([chunk.text for chunk in parts.chunks])
        expected = np.average(parts.vectors, axis=0, weights=weights)
        np.testing.assert_allclose(made.encode(LONG, chunk=True), expected, atol=1e-6)


def test_a_size_with_a_prompt_is_at_most_what_the_model_has_room_for(encoder):
    prompt = "the cat sat on "
    parts = encoder.encode_chunks("cat " * 90, max_tokens=30, prompt=prompt)
    counts = encoder.count_tokens([prompt + chunk.text for chunk in parts.chunks])
    assert max(counts) == encoder.max_tokens


def test_a_text_that_only_the_prompt_makes_too_long_is_chunked(encoder):
    text = "cat " * 29
    assert encoder.count_tokens(text) <= encoder.max_tokens
    found = encoder.encode(text + "soup", chunk=True, prompt="hey ")
    np.testing.assert_allclose(found, pooled(encoder, text + "soup", "hey "), atol=1e-6)
    assert np.abs(found - encoder.encode(text + "soup", prompt="hey ")).max() > 1e-3


def test_a_megabyte_of_white_space_has_a_vector_too(encoder):
    blank = " " * 1_100_000
    np.testing.assert_array_equal(encoder.encode(blank, chunk=True), encoder.encode(""))


def test_the_default_overlap_is_an_eighth(encoder):
    text = " ".join("abcdefghijklmnopqrstuvwxyz" * 6)
    parts = encoder.encode_chunks(text)
    starts = [text[chunk.start : chunk.end].split() for chunk in parts.chunks]
    for before, after in itertools.pairwise(starts):
        assert before[-3:] == after[:3]
        assert before[-4:] != after[:4]


@pytest.mark.parametrize("prompt", ["x", "runn", "##"])
def test_a_prompt_that_joins_the_first_word_leaves_every_chunk_whole(encoder, prompt):
    text = "station music train river " * 30
    encoder.encode(text, chunk=True, prompt=prompt, truncation="error")
    parts = encoder.encode_chunks(text, prompt=prompt)
    counts = encoder.count_tokens([prompt + chunk.text for chunk in parts.chunks])
    assert max(counts) <= encoder.max_tokens


def test_a_chunk_size_that_is_no_number_is_an_input_error(encoder):
    with pytest.raises(InputError, match="max_tokens: expected 1 or more, got '8'"):
        encoder.encode_chunks("a", max_tokens="8")
