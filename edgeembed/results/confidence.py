"""How sure a result is: a word and a bar for the probability that it is relevant."""

from typing import Literal

from edgeembed_runtime.index.search.query import LIKELIHOODS

Word = Literal["likely", "possible", "unlikely"]
# Below `possible` a result is not called one that fits.
LIKELY = LIKELIHOODS["likely"]
POSSIBLE = LIKELIHOODS["possible"]
BLOCKS = 5

NOTHING_FITS = "Nothing that fits: no passage is likely to be what you mean."
NEAREST = "What comes nearest:"


def confidence_word(probability: float, *, has_most_words: bool = False) -> Word:
    """The word for a probability from 0 to 1.

    With most words of the query a result is possible at least: a name or a code means nothing to a
    model, and is found by its letters.
    """
    if probability >= LIKELY:
        return "likely"
    return "possible" if probability >= POSSIBLE or has_most_words else "unlikely"


def filled_blocks(probability: float) -> int:
    """How many of BLOCKS are filled: 0 only for less than a tenth, all only from nine tenths on."""
    return min(BLOCKS, max(0, int(probability * BLOCKS + 0.5)))
