"""The smallest pieces that a text is cut into, their weight in tokens, and where to cut best."""

import codecs
import unicodedata
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.inputs.text.sentences import sentence_starts
from edgeembed_runtime.inputs.text.structure import Structure
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# A token with this many characters, the white space after it included, counts as several.
_LONG = 64
_CHARACTERS_PER_PIECE = 16
_SPACES = np.array([chr(code).isspace() for code in range(0x3002)])  # none is beyond U+3000
_CLAUSE_ENDS = np.array(sorted(map(ord, ",;:–—،؛")), np.uint32)
_FREE_CLAUSE_ENDS = np.array(sorted(map(ord, "，、；：")), np.uint32)  # without white space
_JOINER = 0x200D


class Cut(IntEnum):
    """What a text is cut at, from worst to best."""

    CHARACTER = 0
    """Inside what a reader sees as one character."""
    LETTER = 1
    WORD = 2
    CLAUSE = 3
    """Or a line."""
    SENTENCE = 4
    """Or a list item, or a table's row."""
    PARAGRAPH = 5
    HEADING = 6


# Looked up now: a codec is a file, and there can be none left to open when it is needed.
_utf32 = codecs.getencoder("utf-32-le")


@dataclass(frozen=True, kw_only=True)
class Atoms:
    """The n atoms of a text; each reaches from its start to the next one's.

    Attributes:
        starts: first characters, (n + 1,) int64, increasing; the last is the end of the text.
        totals: tokens before each atom, (n + 1,) int64.
        cuts: what a cut before each atom would be, (n + 1,) int8 of `Cut`.
    """

    starts: NDArray[np.int64]
    totals: NDArray[np.int64]
    cuts: NDArray[np.int8]

    def at(self, positions: list[int]) -> NDArray[np.int64]:
        """The first atom at or after each position."""
        return np.searchsorted(self.starts, np.array(positions, np.int64))


def atoms_of(text: str, tokenizer: TextTokenizer, structure: Structure) -> Atoms | None:
    """Split `text` into atoms by one tokenization of it; None if it has no tokens.

    Long runs of characters that are one token, or none, are split by their length.

    Raises:
        InputError: the text is not valid Unicode.
    """
    spans = tokenizer.spans(text)
    codes = np.frombuffer(_utf32(text)[0], np.uint32)
    visible = np.flatnonzero(~_is_space(codes))
    if not len(spans.starts) or not len(visible):
        return None
    starts, weights = _merged(spans.starts, spans.weights, visible)
    starts, weights = _split(starts, weights, len(text))
    totals = np.concatenate([[0], np.cumsum(weights)])
    cuts = np.append(_cuts(starts, codes, visible), np.int8(Cut.HEADING))
    atoms = Atoms(starts=np.append(starts, len(text)), totals=totals, cuts=cuts)
    for positions, cut in (
        (structure.lines, Cut.CLAUSE),
        (structure.items, Cut.SENTENCE),
        (list(sentence_starts(text)), Cut.SENTENCE),
        (structure.paragraphs, Cut.PARAGRAPH),
        ([heading.start for heading in structure.headings], Cut.HEADING),
    ):
        at = atoms.at(positions)
        cuts[at] = np.maximum(cuts[at], cut)
    below = atoms.at([heading.end for heading in structure.headings])
    cuts[below] = np.where(cuts[below] < Cut.HEADING, Cut.WORD, cuts[below])  # they stay together
    return atoms


def _merged(
    starts: NDArray[np.int64], weights: NDArray[np.int64], visible: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Atoms of the tokens: one starts at a visible character; several at the same one are one."""
    at = np.minimum(np.searchsorted(visible, starts), len(visible) - 1)
    starts = np.maximum.accumulate(visible[at])
    starts[0] = visible[0]
    first = np.flatnonzero(np.concatenate([[True], starts[1:] != starts[:-1]]))
    return starts[first], np.add.reduceat(weights, first)


def _split(
    starts: NDArray[np.int64], weights: NDArray[np.int64], end: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split atoms that are long for their weight, into pieces of one token each."""
    lengths = np.diff(starts, append=end)
    by_length = -(-lengths // _CHARACTERS_PER_PIECE)
    weights = np.where(lengths > _LONG, np.maximum(weights, by_length), weights)
    pieces = np.where(lengths >= 4 * weights - 3, weights, 1)
    if pieces.max() == 1:
        return starts, weights
    owner = np.repeat(np.arange(len(starts)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = starts[owner] + lengths[owner] * number // pieces[owner]
    return starts, (weights // pieces)[owner]


def _cuts(
    starts: NDArray[np.int64], codes: NDArray[np.uint32], visible: NDArray[np.int64]
) -> NDArray[np.int8]:
    """What cuts would be by the characters around them."""
    before = codes[starts - 1]
    before[0] = ord("\n")
    is_word = _is_space(before)
    preceding = codes[visible[np.searchsorted(visible, starts) - 1]]
    is_clause = is_word & np.isin(preceding, _CLAUSE_ENDS) | np.isin(preceding, _FREE_CLAUSE_ENDS)
    inside = (_is_continuation(codes[starts]) | (before == _JOINER)) & ~is_word
    cuts = np.full(len(starts), Cut.LETTER, np.int8)
    cuts[is_word] = Cut.WORD
    cuts[is_clause] = Cut.CLAUSE
    cuts[inside] = Cut.CHARACTER
    return cuts


def _is_space(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return _SPACES[np.minimum(codes, len(_SPACES) - 1)]


def _is_continuation(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Whether each character belongs to the one before it: a mark, a joiner, a skin tone."""
    if codes.max() < 0x300:
        return np.zeros(len(codes), bool)
    different, inverse = np.unique(codes, return_inverse=True)
    return np.array([_continues(int(code)) for code in different])[inverse]


def _continues(code: int) -> bool:
    return (
        unicodedata.category(chr(code)).startswith("M")
        or code == _JOINER
        or 0x1160 <= code <= 0x11FF  # vowels and finals of Hangul
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or 0xE0020 <= code <= 0xE007F  # flags of regions
    )
