"""The words of a query in a text: whatever the case, the accents, and a plain English ending."""

import re
from collections.abc import Iterable, Iterator

from edgeembed_runtime.index.terms.fold import MARKS, UNSPACED, fold
from edgeembed_runtime.index.terms.query import read_query

Span = tuple[int, int]

# Too common to tell anything, unless a query has no other words.
_COMMON = (
    "a about an and any are as at be been but by can could did do does for from had has have how i "
    "if in into is it its me my no not of on or our so than that the their them then there these "
    "they this to was we were what when where which who why will with would you your"
)
_STOP_WORDS = frozenset(_COMMON.split())
_ENDINGS = ("s", "es", "d", "ed", "ing", "'s", "’s")
_ENDINGS_AFTER_DOUBLING = ("ed", "ing")
_LEAST_STEM = 3
# A word of a script without spaces is recognized by pairs of characters.
_UNSPACED_RUN = re.compile(f"[{UNSPACED}]+")
# Letters and digits with the marks on them, which the word class of re leaves out.
_WORD = re.compile(rf"(?:(?![{UNSPACED}])\w[{MARKS}]*)+")


class QueryWords:
    """The words of one query, ready to be found in texts."""

    def __init__(self, query: str) -> None:
        """Take the query apart, without its operators, as keyword search reads them."""
        query = read_query(query).text
        words = {fold(query[a:b]) for a, b in _spaced_words(query)} - {""}
        words = words - _STOP_WORDS or words
        self._words = [frozenset(_forms(word)) for word in sorted(words)]
        self._forms = frozenset().union(*self._words)
        runs = _UNSPACED_RUN.findall(query)
        self._pairs = {run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1))}

    def find(self, text: str) -> list[Span]:
        """The (start, end) of every matching word in the text, in order, without overlaps."""
        spans = [(a, b) for a, b in _spaced_words(text) if fold(text[a:b]) in self._forms]
        if self._pairs:
            spans += self._find_pairs(text)
        return sorted(spans)

    def mostly_in(self, text: str, spans: Iterable[Span]) -> bool:
        """Whether the text, with these matching words, has more than half of the query's words."""
        found = {fold(text[a:b]) for a, b in spans}
        matched = sum(bool(forms & found) for forms in self._words)
        matched += sum(pair in text for pair in self._pairs)
        return 2 * matched > len(self._words) + len(self._pairs)

    def distinct(self, text: str, spans: Iterable[Span]) -> int:
        """How many different words the spans hold."""
        return len({fold(text[start:end]) for start, end in spans})

    def _find_pairs(self, text: str) -> Iterator[Span]:
        for run in _UNSPACED_RUN.finditer(text):
            start = end = run.start()
            for at in range(run.start(), run.end()):
                size = next((n for n in (2, 1) if text[at : at + n] in self._pairs), 0)
                if not size:
                    continue
                if at > end and end > start:
                    yield start, end
                if at > end or end == start:
                    start = at
                end = min(at + size, run.end())
            if end > start:
                yield start, end


def _forms(word: str) -> Iterator[str]:
    """The word, with and without each plain English ending: cancel, cancels, cancelled, ..."""
    yield word
    if len(word) < _LEAST_STEM:
        return
    yield from (word + ending for ending in _ENDINGS)
    yield from (word + word[-1] + ending for ending in _ENDINGS_AFTER_DOUBLING)
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _LEAST_STEM:
            yield stem
            if ending in _ENDINGS_AFTER_DOUBLING and stem[-1] == stem[-2]:
                yield stem[:-1]


def _spaced_words(text: str) -> Iterator[Span]:
    return (match.span() for match in _WORD.finditer(text))
