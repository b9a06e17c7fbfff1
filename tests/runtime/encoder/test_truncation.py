"""Texts that are longer than the model takes: cut in silence, with a warning, or refused."""

import warnings

import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError, TruncationWarning

LONG = "the cat sat on the mat " * 20


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path) as made:
        yield made


def ways(encoder):
    """Every way of encoding texts, with a policy."""
    return {
        "list": lambda texts, policy: encoder.encode(texts, truncation=policy),
        "each": lambda texts, policy: [encoder.encode(t, truncation=policy) for t in texts],
        "query": lambda texts, policy: encoder.encode_query(texts, truncation=policy),
        "document": lambda texts, policy: encoder.encode_document(texts, truncation=policy),
        "stream": lambda texts, policy: list(encoder.encode_iter(texts, truncation=policy)),
    }


@pytest.mark.parametrize("way", ["list", "each", "query", "document", "stream"])
def test_each_policy_does_what_it_says(encoder, way):
    encode = ways(encoder)[way]
    quiet = encode(["a", LONG], "truncate")
    with pytest.warns(
        TruncationWarning, match=r"1 text was truncated to 32 tokens; the longest has \d"
    ):
        warned = encode(["a", LONG], "warn")
    assert [v.tobytes() for v in quiet] == [v.tobytes() for v in warned]
    with pytest.raises(InputError, match=r"text: expected at most 32 tokens, got 1\d\d; shorten"):
        encode(["a", LONG], "error")


def test_a_warning_counts_the_texts_and_the_longest(encoder):
    longest = encoder.count_tokens(LONG * 2)
    expected = f"2 different texts were truncated to 32 tokens; the longest has {longest}"
    with pytest.warns(TruncationWarning, match=expected):
        encoder.encode(["a", LONG, LONG * 2, "b"], truncation="warn")


def test_an_error_names_the_position(encoder):
    with pytest.raises(InputError, match=r"inputs\[2\]: text: expected at most 32 tokens"):
        encoder.encode(["a", "b", LONG], truncation="error")


def test_vectors_before_the_long_text_are_given_first(encoder):
    results = encoder.encode_iter(["a", LONG], truncation="error")
    assert next(results).shape == (16,)
    with pytest.raises(InputError, match=r"inputs\[1\]"):
        next(results)


def test_a_text_that_just_fits_is_not_cut(encoder):
    fitting = "a " * 30
    assert encoder.count_tokens(fitting) == 32
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode([fitting], truncation="warn")
        encoder.encode(fitting, truncation="error")
    with pytest.warns(TruncationWarning, match="longest has 33"):
        encoder.encode(fitting + "a", truncation="warn")


def test_chunks_are_never_cut(encoder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode([LONG, "a"], chunk=True, truncation="error")


@pytest.mark.slow
def test_a_text_of_ten_megabytes_is_counted_whole(encoder):
    with pytest.warns(TruncationWarning, match="the longest has 2000002"):
        encoder.encode("a " * 2_000_000, truncation="warn")


@pytest.mark.parametrize("policy", ["cut", None, 5])
def test_an_unknown_policy_is_refused_before_any_work(encoder, policy):
    with pytest.raises(InputError, match="truncation: expected one of truncate, warn, error, got"):
        encoder.encode(["a", object()], truncation=policy)
    with pytest.raises(InputError, match="truncation: expected"):
        encoder.encode_iter(["a"], truncation=policy)


def test_the_warning_names_the_caller_s_line(encoder):
    with pytest.warns(TruncationWarning) as caught:
        encoder.encode(LONG, truncation="warn")
        encoder.encode([LONG], truncation="warn")
        list(encoder.encode_iter([LONG], truncation="warn"))
    assert [w.filename for w in caught] == [__file__] * 3
