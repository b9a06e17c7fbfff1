"""Finds the terms of a text: words, names whole and in parts, pairs of unspaced characters.

A name is what connectors or case join without a space: `snake_case`, `camelCase`, `v2.13.1`,
`a@b.org`, `src/main.c`, `e-mail`. Its parts are words like any others, and it is kept whole beside
them, also without its connectors, so that `e-mail` and `email` meet. Signs that end a name belong
to it: `C++` and `C#` are neither each other nor `C`.

Scripts without spaces are cut into pairs of neighboring characters, as Lucene's CJKAnalyzer does;
the last character of a run stands alone too, so that any character is the beginning of a term.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from edgeembed_runtime.index.terms.fold import EMOJI, MARKS, UNSPACED, composed, fold

TERMS_VERSION = 1
"""Raise it when the terms of a text change; an index knows which its keyword table has."""
# Characters of the longest term, and of the longest run that terms are found in; the rest of a
# longer one is left out.
_MAX_TERM = 128
_MAX_RUN = 4096
# Parts of the longest name; the rest of a longer one is another.
_MAX_PARTS = 64
# Words occur again and again: the terms of this many are remembered, unless they are longer.
_REMEMBERED = 1 << 16
_MAX_REMEMBERED = 32
# Nothing here is tried twice (possessive quantifiers), so that any text takes linear time.
_LETTERS = rf"(?:[^\W_{UNSPACED}]++[{MARKS}]*+)++"
_CONNECTOR = r"(?:[-_./@:&'\u2019\u2010\u2011]|(?<=\d),(?=\d))"
_END = r"(?:\+\+|\#(?!\w))?"
_RUN = re.compile(
    rf"(?<!_)_*+{_LETTERS}(?:{_CONNECTOR}{{1,2}}+{_LETTERS}){{0,{_MAX_PARTS - 1}}}+{_END}"
    rf"|[{UNSPACED}]{{1,{_MAX_RUN}}}+|[{EMOJI}]"
)
_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
# The same where nothing but ASCII can occur, at a third of the time.
_ASCII_CONNECTOR = r"(?:[-_./@:&']|(?<=\d),(?=\d))"
_ASCII_RUN = re.compile(
    r"(?<!_)_*+[A-Za-z0-9]++"
    rf"(?:{_ASCII_CONNECTOR}{{1,2}}+[A-Za-z0-9]++){{0,{_MAX_PARTS - 1}}}+{_END}"
)
_PARTS = re.compile(_LETTERS)
# Where the case changes: camelCase, HTTPServer.
_CASE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Term(NamedTuple):
    """A term as it stands in the text, folded: a plain word, a name, or an unspaced run."""

    whole: str
    parts: tuple[str, ...] = ()
    """Of a name: its words. Of an unspaced run of two or more characters: its pairs."""
    unspaced: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """What stands for it in the order of the text."""
        if not self.unspaced:
            return self.parts or (self.whole,)
        return (*self.parts, self.whole[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """A name as a whole, with its connectors and without."""
        if self.unspaced or not self.parts:
            return ()
        joined = "".join(self.parts)[:_MAX_TERM]
        return (self.whole,) if joined == self.whole else (self.whole, joined)


def terms(text: str) -> list[Term]:
    """The folded terms of a text, in order."""
    return list(_each_term(text))


def table_row(text: str) -> tuple[str, str]:
    """What the keyword table holds of a text: its words in order, and its names.

    Both are terms joined by spaces. Names are apart, so that they do not come between words that
    follow each other.
    """
    words: list[str] = []
    names: list[str] = []
    for term in _each_term(text):
        words.append(" ".join(term.words))
        names += term.names
    return " ".join(words), " ".join(names)


def _each_term(text: str) -> Iterator[Term]:
    pattern = _ASCII_RUN if text.isascii() else _RUN
    for match in pattern.finditer(composed(text)):
        run = match[0]
        yield from _remembered(run) if len(run) <= _MAX_REMEMBERED else _terms_of(run[:_MAX_RUN])


def _terms_of(run: str) -> tuple[Term, ...]:
    if _IS_UNSPACED.match(run):
        whole = fold(run)
        pairs = tuple(whole[at : at + 2] for at in range(len(whole) - 1))
        return (Term(whole, pairs, unspaced=True),) if whole else ()
    folded = fold(run).replace("\u2019", "'").replace("\u2010", "-").replace("\u2011", "-")
    pieces = (piece for part in _PARTS.findall(run) for piece in _CASE.split(part))
    parts = tuple(part for piece in pieces if (part := fold(piece)[:_MAX_TERM]))
    if len(parts) > 1:
        return (Term(folded[:_MAX_TERM], parts),)
    if folded.endswith(("++", "#")):
        return (Term(folded[-_MAX_TERM:]),)
    whole = parts[0] if parts else folded[:_MAX_TERM]
    return (Term(whole),) if whole else ()


_remembered = lru_cache(_REMEMBERED)(_terms_of)
