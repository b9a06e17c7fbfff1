"""Words and bars for probabilities."""

import pytest

from edgeembed import Hit
from edgeembed.results.answers import answers_of, nothing_fits
from edgeembed.results.confidence import BLOCKS, confidence_word, filled_blocks
from edgeembed.results.duplicates import Folded


def answers(probabilities, query="a question", text="something else"):
    hits = [
        Hit(key="a", score=0.1, document=text, metadata=None, probability=each)
        for each in probabilities
    ]
    return answers_of(query, [Folded(hit=each, others=()) for each in hits])


@pytest.mark.parametrize(
    ("probability", "word", "blocks"),
    [
        (0.0, "unlikely", 0),
        (0.09, "unlikely", 0),
        (0.14, "unlikely", 1),
        (0.15, "possible", 1),
        (0.49, "possible", 2),
        (0.5, "likely", 3),
        (0.89, "likely", 4),
        (1.0, "likely", BLOCKS),
    ],
)
def test_a_probability_has_a_word_and_blocks(probability, word, blocks):
    assert (confidence_word(probability), filled_blocks(probability)) == (word, blocks)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [([], False), ([0.1, 0.05], True), ([0.2, 0.1], False), ([0.1, None], False), ([None], False)],
)
def test_nothing_fits_only_where_every_hit_is_known_to_be_unlikely(probabilities, expected):
    assert nothing_fits(answers(probabilities)) is expected


@pytest.mark.parametrize(
    ("query", "text", "word"),
    [
        ("ERR_4032", "Then err_4032 was shown.", "possible"),
        ("ERR_4032 printer", "Then err_4032 was shown.", "unlikely"),
        ("ERR_4032 shown on printer", "Then err_4032 was shown.", "possible"),
        ("東京", "昨日は東京に行った", "possible"),
        ("大阪", "昨日は東京に行った", "unlikely"),
    ],
)
def test_a_result_with_most_words_of_the_query_may_fit_whatever_the_model_says(query, text, word):
    (answer,) = answers([0.05], query, text)
    assert answer.confidence == word
    assert nothing_fits([answer]) is (word == "unlikely")
