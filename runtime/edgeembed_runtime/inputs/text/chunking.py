"""Splitting long texts into chunks that fit the model, at headings, paragraphs and sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import shown
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.atoms import Atoms, Cut, atoms_of
from edgeembed_runtime.inputs.text.sections import Section, sections_of
from edgeembed_runtime.inputs.text.structure import Syntax, structure_of
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# How much of a chunk's length a better cut is worth, for each `Cut`: a paragraph's end may be a
# quarter of a chunk farther from the balanced length than a sentence's.
_COSTS = np.array([4.0, 2.5, 1.25, 0.75, 0.25, 0.0, 0.0])
# No chunk is shorter than 1/4 of its limit, except where a section is.
_SHORTEST = 4
_SENTENCE, _WORD = int(Cut.SENTENCE), int(Cut.WORD)
_PLAIN_WORD = re.compile(r"[!-~]{1,32}(?=[ \t\r\n])")
_PLAIN_SPACES = " \t\r\n"


@public
@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a text.

    Attributes:
        text: the piece itself.
        start: its first character in the whole text.
        end: one past its last character, so that `text` is `whole[start:end]`.
        headings: the headings that it is under, from the top, without their marks. The first is
            the document's title if it has one.
    """

    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()


def checked_size(max_tokens: int | None, room: int) -> int:
    """Return `max_tokens` limited to `room`, or `room` if it is None.

    Raises:
        InputError: `max_tokens` is not a positive integer.
    """
    if max_tokens is None:
        return room
    if type(max_tokens) is not int or max_tokens < 1:
        raise InputError(f"max_tokens: expected 1 or more, got {shown(max_tokens)}")
    return min(max_tokens, room)


def chunk_text(
    text: str,
    tokenizer: TextTokenizer,
    *,
    max_tokens: int,
    overlap_tokens: int,
    syntax: Syntax = "prose",
) -> Iterator[Chunk]:
    """Split `text` into chunks of up to `max_tokens` tokens, not counting special tokens.

    `max_tokens` is limited to what the model takes. A heading starts a chunk, together with what
    follows it; tiny sections share one. A longer section is split evenly, after a paragraph if one
    ends nearby, else a sentence, else a line or clause, else between words, else anywhere. The next
    chunk starts with the last sentences of the one before, up to `overlap_tokens`, or words if it
    was cut inside a sentence. A run of characters that is one token or none counts by its length.
    Code has no headings, and ends of lines in place of ends of sentences.

    A text without tokens has no chunks.

    Raises:
        InputError: `max_tokens` is not positive, or `overlap_tokens` is not 0 to half of it.
    """
    max_tokens = checked_size(max_tokens, tokenizer.max_tokens - tokenizer.special_tokens)
    if type(overlap_tokens) is not int or not 0 <= overlap_tokens <= max_tokens // 2:
        raise InputError(
            f"overlap_tokens: expected 0 to {max_tokens // 2}, got {shown(overlap_tokens)}"
        )
    structure = structure_of(text, syntax)
    atoms = atoms_of(text, tokenizer, structure)
    if atoms is None:
        return
    packer = _Packer(text, tokenizer, atoms, max_tokens, overlap_tokens)
    for section in sections_of(text, atoms, structure, max_tokens):
        for start, end in packer.pack(section):
            yield Chunk(text=text[start:end], start=start, end=end, headings=section.path)


@dataclass(frozen=True)
class _Packer:
    text: str
    tokenizer: TextTokenizer
    atoms: Atoms
    max_tokens: int
    overlap: int

    def pack(self, section: Section) -> Iterator[tuple[int, int]]:
        """Yield the character span of each chunk of a section."""
        first = fresh = section.first  # what a chunk starts with, and what is new in it
        while fresh < section.last:
            first, last = self._fitting(first, fresh, section.last)
            start, end = self._span(first, last)
            if start < end:
                yield start, end
            first, fresh = self._overlap_start(first, last), last

    def _fitting(self, first: int, fresh: int, end: int) -> tuple[int, int]:
        """Return the first atom and the end (exclusive) of the next chunk.

        Tokenized on its own, a chunk may have more tokens than within the text: the rest of a split
        word, or a word without its leading space.
        """
        size = self.max_tokens
        while True:
            last = self._cut(first, fresh, end, size)
            excess = self._excess(first, last)
            if excess <= 0:
                return first, last
            if last > fresh + 1:
                counted = int(self.atoms.totals[last] - self.atoms.totals[first])
                size = max(1, min(counted - 1, self.max_tokens * counted // (counted + excess)))
            elif first < fresh:
                first, size = fresh, self.max_tokens
            else:
                return first, last

    def _cut(self, first: int, fresh: int, end: int, size: int) -> int:
        """Return the best end of a chunk of up to `size` tokens from atom `first`."""
        totals = self.atoms.totals
        limit = int(totals[first]) + size
        high = min(end, max(fresh + 1, self._atom_at(limit + 1) - 1))
        if high == end:
            return end
        done = int(totals[fresh])
        room, rest = limit - done, int(totals[end]) - done
        chunks = 1 + max(1, -((room - rest) // (size - min(self.overlap, size // 2))))
        target = done + min(room, rest / chunks)
        low = min(max(fresh + 1, self._atom_at(done + room // _SHORTEST)), high)
        distances = np.abs(totals[low : high + 1] - target) / self.max_tokens
        return low + int((distances + _COSTS[self.atoms.cuts[low : high + 1]]).argmin())

    def _overlap_start(self, first: int, last: int) -> int:
        """Return the atom that the chunk after [first, last) starts with."""
        totals, cuts = self.atoms.totals, self.atoms.cuts
        if not self.overlap:
            return last
        low = max(first + 1, self._atom_at(int(totals[last]) - self.overlap))
        before = cuts[low:last]
        needed = (_SENTENCE,) if cuts[last] >= _SENTENCE else (_SENTENCE, _WORD)
        for cut in needed:
            found = before >= cut
            if found.any():
                return low + int(found.argmax())
        return last

    def _atom_at(self, total: int) -> int:
        """Return the first atom with `total` or more tokens before it."""
        # An int: for a float, numpy would convert the whole array.
        return int(self.atoms.totals.searchsorted(total))

    def _span(self, first: int, last: int) -> tuple[int, int]:
        """Return the character span of atoms [first, last), without surrounding white space."""
        start, end = int(self.atoms.starts[first]), int(self.atoms.starts[last])
        if first == 0:
            start = 0  # characters before the first token
        piece = self.text[start:end]
        return end - len(piece.lstrip()), start + len(piece.rstrip())

    def _excess(self, first: int, last: int) -> int:
        """Return how many tokens too many a chunk has when it stands alone; negative if it fits."""
        start, end = self._span(first, last)
        text = self.text
        counted = int(self.atoms.totals[last] - self.atoms.totals[first])
        # Only the first word can be read otherwise if it is preceded by white space in the text, in
        # at most as many tokens as it has letters.
        if (start == 0 or text[start - 1] in _PLAIN_SPACES) and text[
            end : end + 1
        ] in _PLAIN_SPACES:
            word = _PLAIN_WORD.match(text, start, end)
            if word and counted + word.end() - start <= self.max_tokens:
                return 0
        count = self.tokenizer.count(text[start:end]) - self.tokenizer.special_tokens
        return count - self.max_tokens
