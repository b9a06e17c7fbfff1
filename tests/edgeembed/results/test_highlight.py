"""The best sentence of a passage."""

import numpy as np
import pytest

from edgeembed.results.highlight import highlight
from edgeembed_runtime.errors import InputError

TEXT = "The cat sleeps on the mat. A train leaves at noon! Soup is cooked slowly."
TOPICS = ("cat", "train", "soup")


class Topics:
    """An encoder of three topics; `feline` is near `cat` without sharing a word."""

    dim, space, similarity_name, normalized = 3, "topics", "cosine", True

    def __init__(self):
        self.batches = []

    def _vectors(self, inputs):
        texts = [text.lower().replace("feline", "cat") for text in inputs]
        return np.array([[float(topic in text) for topic in TOPICS] for text in texts], np.float32)

    def encode_query(self, inputs):
        return self._vectors(inputs)

    def encode_document(self, inputs):
        self.batches.append(list(inputs))
        return self._vectors(inputs)


class Refusing(Topics):
    def encode_document(self, inputs):
        raise InputError("no")


class Broken(Topics):
    def encode_document(self, inputs):
        return np.full((len(inputs), 3), np.nan, np.float32)


def best(query, text=TEXT, encoder=None):
    (found,) = highlight(query, [text], encoder)
    return None if found.sentence is None else text[slice(*found.sentence)]


def test_the_best_sentence_is_found_by_meaning_without_a_shared_word():
    assert best("a feline", encoder=Topics()) == "The cat sleeps on the mat."
    assert best("a feline") is None


def test_words_decide_between_sentences_as_near_and_without_an_encoder():
    text = "A cat. A cat on a sofa. A train."
    assert best("feline on a sofa", text, Topics()) == "A cat on a sofa."
    assert best("when does the train go") == "A train leaves at noon!"


def test_a_passage_of_one_sentence_is_its_own_best_one_and_is_not_encoded():
    encoder = Topics()
    assert best("feline", "Only this", encoder) == "Only this"
    assert encoder.batches == []
    assert best("feline", "", encoder) is None


def test_all_shown_passages_are_encoded_in_one_bounded_batch():
    encoder = Topics()
    long = " ".join(f"Sentence number {n} is here." for n in range(1000))
    found = highlight("a train", [TEXT, long, "One. Two. " * 3] + [long] * 100, encoder)
    assert len(encoder.batches) == 1
    assert len(encoder.batches[0]) <= 128
    assert TEXT[slice(*found[0].sentence)] == "A train leaves at noon!"


@pytest.mark.parametrize("encoder", [Refusing(), Broken()])
def test_an_encoder_that_fails_leaves_it_to_the_words(encoder):
    assert best("the train", encoder=encoder) == "A train leaves at noon!"


def test_headings_items_and_rows_are_sentences_of_their_own():
    text = "# Pets\nThe cat is\nold\n\nA dog\n- a train\n- soup\n| a | cat |\n1. guitar"
    for query, expected in [
        ("pets", None),
        ("old", "The cat is\nold"),
        ("dog", "A dog"),
        ("train", "- a train"),
        ("guitar", "1. guitar"),
    ]:
        assert best(query, text) == expected
    assert best("pets", "# Pets\n\n# Cats") == "# Pets"


def test_no_text_and_no_query_are_no_error():
    assert highlight("cat", [], Topics()) == []
    assert best("", encoder=Topics()) is None
    assert best(" \n", encoder=Topics()) is None


def test_a_text_of_any_size_is_searched_in_bounded_time():
    for text in ("." * 200_000, "\n \n" * 100_000, "a" * 1_000_000, "a. " * 300_000):
        highlight("a b", [text])
