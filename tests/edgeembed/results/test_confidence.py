"""Words and bars for probabilities."""

import pytest

from edgeembed import Hit
from edgeembed.results.confidence import BLOCKS, confidence_word, filled_blocks, nothing_fits


def hit(probability):
    return Hit(key="a", score=0.1, document="a", metadata=None, probability=probability)


@pytest.mark.parametrize(
    ("probability", "word", "blocks"),
    [
        (0.0, "unlikely", 0),
        (0.09, "unlikely", 0),
        (0.19, "unlikely", 1),
        (0.2, "possible", 1),
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
    assert nothing_fits([hit(each) for each in probabilities]) is expected
