"""How sure a result is: a word and a bar for the probability that it is relevant."""

from collections.abc import Sequence
from typing import Literal

from edgeembed_runtime.index.base.types import Hit
from edgeembed_runtime.index.search.query import LIKELIHOODS

Word = Literal["likely", "possible", "unlikely"]
# Below `possible` a result is not called one that fits.
LIKELY = LIKELIHOODS["likely"]
POSSIBLE = LIKELIHOODS["possible"]
BLOCKS = 5

NOTHING_FITS = "Nothing that fits: no passage is likely to be what you mean."
NEAREST = "What comes nearest:"


def confidence_word(probability: float) -> Word:
    """The word for a probability from 0 to 1."""
    if probability >= LIKELY:
        return "likely"
    return "possible" if probability >= POSSIBLE else "unlikely"


def filled_blocks(probability: float) -> int:
    """How many of BLOCKS are filled: 0 only for less than a tenth, all only from nine tenths on."""
    return min(BLOCKS, max(0, int(probability * BLOCKS + 0.5)))


def nothing_fits(hits: Sequence[Hit]) -> bool:
    """Whether there are hits, and every one of them is known to be unlikely."""
    return bool(hits) and all(
        hit.probability is not None and hit.probability < POSSIBLE for hit in hits
    )
