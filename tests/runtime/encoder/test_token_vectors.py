"""Contextual vectors of tokens and words, against the tiny model's own table."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from helpers import tiny_bundle

TEXT = "The cat, running, sat. A catfish sat on the cat!"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, variant="fp32") as made:
        yield made


@given(text=texts)
def test_every_token_has_its_row_string_and_place(encoder, text):
    made = tiny_bundle.tokenizer()
    made.enable_truncation(tiny_bundle.MAX_TOKENS)
    expected = made.encode(text)
    found = encoder.token_vectors(text)
    assert [token.token for token in found.tokens] == expected.tokens
    assert [(token.start, token.end) for token in found.tokens] == expected.offsets
    np.testing.assert_array_equal(found.vectors, tiny_bundle.table()[expected.ids])
    np.testing.assert_array_equal(encoder.encode_tokens(text), found.vectors)


def rows(found, *strings):
    """The rows of tokens with these strings, in order."""
    wanted = iter(strings)
    string = next(wanted)
    picked = []
    for row, token in enumerate(found.tokens):
        if token.token == string:
            picked.append(row)
            string = next(wanted, None)
    return picked


def test_a_word_is_the_mean_of_its_sub_tokens(encoder):
    found = encoder.token_vectors(TEXT)
    picked = rows(found, "run", "##ning")
    assert len(picked) == 2
    np.testing.assert_allclose(found.word("running"), found.vectors[picked].mean(axis=0), rtol=1e-6)


def test_occurrences_are_counted_and_a_word_inside_another_is_not_one(encoder):
    found = encoder.token_vectors(TEXT)
    whole = [row for row, t in enumerate(found.tokens) if TEXT[t.start : t.end] == "cat"]
    last = [row for row in whole if TEXT[found.tokens[row].end] == "!"]
    np.testing.assert_array_equal(found.word("cat", 1), found.vectors[last[0]])
    with pytest.raises(InputError, match="expected occurrence 0 to 1 of 'cat', got 2"):
        found.word("cat", 2)


@pytest.mark.parametrize("word", ["dog", "", "runn", "CAT"])
def test_a_word_that_is_not_there_is_an_input_error(encoder, word):
    with pytest.raises(InputError, match="word: expected a word in the text, got"):
        encoder.token_vectors(TEXT).word(word)


def test_a_span_takes_every_token_that_touches_it(encoder):
    found = encoder.token_vectors(TEXT)
    np.testing.assert_allclose(found.span(4, 7), found.word("cat"), rtol=1e-6)
    np.testing.assert_allclose(found.span(10, 12), found.vectors[rows(found, "run")[0]], rtol=1e-6)


@pytest.mark.parametrize("span", [(3, 4), (5, 5), (0, 10_000), (-5, 0)])
def test_a_span_without_tokens_or_outside_is_an_input_error(encoder, span):
    with pytest.raises(InputError, match="span: expected a range within the 48 characters"):
        encoder.token_vectors(TEXT).span(*span)


def test_a_word_beyond_what_the_model_takes_is_an_input_error(encoder):
    found = encoder.token_vectors("the cat " * 40 + "train")
    with pytest.raises(InputError, match="characters that the model saw"):
        found.word("train")


def test_a_bundle_without_token_vectors_says_so(tmp_path):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", tower={"outputs": ("embedding",)})
    with (
        Encoder.load(path) as made,
        pytest.raises(InputError, match=r"found only embedding; convert the model again"),
    ):
        made.encode_tokens("a")


@pytest.mark.parametrize("wrong", [5, None, ["a"], b"a"])
def test_what_is_no_text_is_an_input_error(encoder, wrong):
    with pytest.raises(InputError, match="text: expected a text, got"):
        encoder.encode_tokens(wrong)


def test_a_manifest_that_promises_token_vectors_the_graph_lacks_is_damage(tmp_path):
    from edgeembed_runtime.errors import BundleCorruptError

    path = tiny_bundle.write_tiny_bundle(
        tmp_path / "b", tower={"outputs": ("embedding", "something")}
    )
    with pytest.raises(BundleCorruptError, match="expected an output something"):
        Encoder.load(path)


def test_a_word_at_the_end_of_another_is_not_one(encoder):
    found = encoder.token_vectors("concat a cat")
    np.testing.assert_array_equal(found.word("cat"), found.vectors[-2])
    with pytest.raises(InputError, match="expected occurrence 0 to 0 of 'cat', got 1"):
        found.word("cat", 1)


def test_a_word_is_taken_as_it_is_written(encoder):
    found = encoder.token_vectors("axb a.b c++ (sun)")
    strings = [token.token for token in found.tokens]
    at = strings.index(".")
    np.testing.assert_allclose(found.word("a.b"), found.vectors[at - 1 : at + 2].mean(axis=0))
    at = strings.index("+")
    np.testing.assert_allclose(found.word("c++"), found.vectors[at - 1 : at + 2].mean(axis=0))
    np.testing.assert_allclose(found.word("(sun)"), found.span(12, 17))


def test_special_tokens_are_in_no_word_and_no_span(encoder):
    found = encoder.token_vectors("cat")
    assert [(token.token, token.start, token.end) for token in found.tokens] == [
        ("[CLS]", 0, 0),
        ("cat", 0, 3),
        ("[SEP]", 0, 0),
    ]
    for vector in (found.word("cat"), found.span(0, 3), found.span(0, 1)):
        np.testing.assert_array_equal(vector, found.vectors[1])


@pytest.mark.parametrize("occurrence", [-1, 1])
def test_occurrences_count_from_zero_and_not_from_the_end(encoder, occurrence):
    with pytest.raises(InputError, match="expected occurrence 0 to 0 of 'dog'"):
        encoder.token_vectors("a dog").word("dog", occurrence)


def test_the_last_word_may_end_in_what_the_tokenizer_drops(encoder):
    text = unicodedata.normalize("NFD", "un café")
    found = encoder.token_vectors(text)
    np.testing.assert_allclose(found.word(text[3:]), found.span(3, 7), rtol=1e-6)


@pytest.mark.parametrize("arguments", [(5,), (None,), ("cat", "0"), ("cat", 0.0), ("cat", True)])
def test_odd_arguments_of_word_are_input_errors(encoder, arguments):
    with pytest.raises(InputError, match="word: expected"):
        encoder.token_vectors(TEXT).word(*arguments)


@pytest.mark.parametrize("span", [(-5, 2), (0, 0), ("a", 2), (0, 1.5), (True, 2), (None, None)])
def test_a_span_that_cannot_be_is_an_input_error(encoder, span):
    with pytest.raises(InputError, match="span: expected"):
        encoder.token_vectors("on the mat").span(*span)


def test_of_a_text_cut_at_the_left_the_last_tokens_have_their_places(tmp_path):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "left", tower={"truncation_side": "left"})
    text = "a mat sat on the dog. " * 300 + TEXT
    made = tiny_bundle.tokenizer()
    made.enable_truncation(tiny_bundle.MAX_TOKENS, direction="left")
    expected = made.encode(text)
    with Encoder.load(path, variant="fp32") as encoder:
        found = encoder.token_vectors(text)
        vector = encoder.encode(text)
    assert [token.token for token in found.tokens] == expected.tokens
    assert [(token.start, token.end) for token in found.tokens] == expected.offsets
    mean = tiny_bundle.table()[expected.ids].mean(axis=0)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert found.cut
    assert found.span(len(text) - 4, len(text)).shape == (tiny_bundle.DIM,)
    with pytest.raises(InputError, match=rf"the characters \d+ to {len(text)} that the model saw"):
        found.span(0, len(text))
