"""Whole words: how a text is cut into them, and what becomes of those that are unknown."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from edgeembed_runtime.bundle import Subwords, TextTower, Words
from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.text.subwords import subword_rows
from edgeembed_runtime.inputs.text.word_tokenizer import load_tokenizer
from helpers import word_vector_files as files

VOCABULARY = ("the", "cat", "dog", "e-mail", "don't", "u.s.", ",", ".", "new", "york", "Paris")
UNKNOWN = len(VOCABULARY)
SUBWORDS = Subwords(first_row=UNKNOWN + 1, buckets=100, min_n=3, max_n=5)


def made(unknown: Any = "zero", max_tokens=64, vocabulary=VOCABULARY, **changes):
    ids = {word: row for row, word in enumerate(vocabulary)} | {"no word": len(vocabulary)}
    words = Words(
        lowercase=True,
        split_punctuation=True,
        unknown=unknown,
        subwords=SUBWORDS if unknown == "subword" else None,
    )
    tower = TextTower(
        tokenizer="t.json",
        max_tokens=max_tokens,
        static=True,
        words=replace(words, **changes),
        variants=(),
    )
    data = Tokenizer(WordLevel(ids, unk_token="no word")).to_str().encode()
    return load_tokenizer(data, tower, "t.json")


def found(text, **options):
    return [(*VOCABULARY, "?")[row] for row in made(**options).encode(text).ids]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the cat", ["the", "cat"]),
        ("  The\n CAT\u3000dog ", ["the", "cat", "dog"]),
        ("the cat, the dog.", ["the", "cat", ",", "the", "dog", "."]),
        ("an e-mail, don't!", ["?", "e-mail", ",", "don't"]),
        ("the U.S. dog", ["the", "u.s.", "dog"]),
        ("(New-York)", ["new", "york"]),
        ("new_york", ["new", "york"]),
        ("Paris paris", ["Paris", "?"]),
        ("cat-fish", ["cat", "?"]),
        ("... !!! ?", [".", ".", "."]),
        ("", ["?"]),
        ("!", ["?"]),
    ],
)
def test_a_text_is_cut_where_the_vocabulary_asks_for_it(text, words):
    assert found(text) == words


def test_pieces_stay_whole_where_punctuation_is_not_split():
    assert found("cat, e-mail cat", split_punctuation=False) == ["?", "e-mail", "cat"]


def test_words_keep_their_case_where_it_counts():
    assert found("The the Paris", lowercase=False) == ["?", "the", "Paris"]


def test_unknown_words_become_their_ngrams_and_count_once():
    tokens = made("subword").encode("the zebra")
    grams = [UNKNOWN + 1 + files.fasttext_hash(g) % 100 for g in files.grams("zebra", 3, 5)]
    assert tokens.ids.tolist() == [0, *grams]
    share = tokens.weights / tokens.weights[0]
    np.testing.assert_allclose(share[1:], 1 / len(grams), rtol=1e-7)


def test_known_words_need_no_weights():
    assert made("subword").encode("the cat").weights is None


def test_a_text_is_cut_between_words():
    tokens = made("subword", max_tokens=12).encode("the cat zebra dog")
    assert (tokens.ids.tolist(), tokens.truncated) == ([0, 1], True)
    tokens = made(max_tokens=3).encode("the cat dog the")
    assert (tokens.ids.tolist(), tokens.truncated) == ([0, 1, 2], True)
    assert not made(max_tokens=4).encode("the cat dog the").truncated


def test_an_endless_word_is_bounded():
    tokens = made("subword", max_tokens=50).encode("z" * 5_000_000)
    assert (len(tokens.ids), tokens.truncated) == (50, True)


def test_counts_and_places():
    tokenizer = made("subword")
    text = "the cats, dog"
    spans = tokenizer.spans(text)
    places = zip(spans.starts, spans.ends, strict=True)
    assert [text[start:end] for start, end in places] == ["the", "cats", ",", "dog"]
    assert spans.weights.sum() == tokenizer.count(text)
    assert tokenizer.count(text) == len(tokenizer.encode(text).ids)


def test_half_a_character_is_refused():
    with pytest.raises(InputError, match=r"U\+D800"):
        made("subword").encode("the \ud800 cat")


def test_a_tokenizer_that_has_no_token_for_unknown_words_is_refused():
    tower = TextTower(
        tokenizer="t.json", max_tokens=9, static=True, variants=(),
        words=Words(lowercase=True, split_punctuation=True, unknown="zero"),
    )  # fmt: skip
    data = Tokenizer(WordLevel({"a": 0}, unk_token="missing")).to_str().encode()
    with pytest.raises(BundleCorruptError, match=r"t\.json"):
        load_tokenizer(data, tower, "t.json")


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_gives_ids_of_the_table_and_at_most_max_tokens(text):
    for unknown in ("zero", "subword"):
        tokens = made(unknown, max_tokens=16).encode(text)
        assert 1 <= len(tokens.ids) <= 16
        assert 0 <= tokens.ids.min() <= tokens.ids.max() <= UNKNOWN + 100


# The published test vectors of 32-bit FNV-1a: http://www.isthe.com/chongo/src/fnv/test_fnv.c
@pytest.mark.parametrize(("word", "value"), [("foobar", 0xBF9CF968), ("abc", 0x1A47E90B)])
def test_the_hash_is_fnv_1a(word, value):
    whole = Subwords(first_row=0, buckets=1 << 40, min_n=len(word), max_n=len(word))
    # <word> has three n-grams of the word's own length; the middle one is the word.
    assert list(subword_rows(word, whole))[1] == value


@given(
    word=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    low=st.integers(1, 4),
    more=st.integers(0, 4),
)
def test_ngrams_are_those_of_the_paper_in_order(word, low, more):
    settings = Subwords(first_row=5, buckets=997, min_n=low, max_n=low + more)
    grams = files.grams(word, low, low + more)
    assert list(subword_rows(word, settings)) == [5 + files.fasttext_hash(g) % 997 for g in grams]
