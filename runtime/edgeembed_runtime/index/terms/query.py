"""Reads a query for the keyword table: words, names, "phrases" that must be there, -words not to.

Nothing in a query is syntax of FTS5: every term is quoted. Quotes and minus signs that cannot mean
what they mean here are text: an unclosed quote, `-1`, `--help`, `rm -rf`, `2-3`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from edgeembed_runtime.index.terms.terms import Term, terms

_MAX_CHARACTERS = 10_000
_MAX_TERMS = 64
_OPERATOR = re.compile(
    r'(?<!\S)["\u201c\u201e](?P<phrase>[^"\u201c\u201d\u201e]+)["\u201d\u201c](?!\w)'
    r"|(?<!\S)-(?P<excluded>[^\W\d_]{3,})(?!\S)"
)


@dataclass(frozen=True, kw_only=True)
class KeywordQuery:
    """A query as FTS5 expressions; empty where there is nothing of the kind."""

    text: str
    """The query without its operators: what its vector is made of."""
    words: tuple[str, ...]
    """Expressions of single terms; a document has to match one of them, and more is better."""
    names: tuple[str, ...]
    """The same for names as a whole."""
    neighbors: tuple[tuple[str, str], ...]
    """Words that follow each other in the query."""
    required: str
    """Matches the documents that have every quoted phrase."""
    forbidden: str
    """Matches the documents that have an excluded word."""


def read_query(query: str) -> KeywordQuery:
    """Read a query; of a very long one, only the first 10,000 characters and 64 terms count."""
    query, rest = query[:_MAX_CHARACTERS], query[_MAX_CHARACTERS:]
    operators = [each for each in _OPERATOR.finditer(query) if terms(each[each.lastindex or 0])]
    phrases = [each["phrase"] for each in operators if each["phrase"]]
    excluded = [each["excluded"] for each in operators if each["excluded"]]
    text = _OPERATOR.sub(lambda each: f" {each['phrase'] or ''} ", query)
    found = terms(text)[:_MAX_TERMS]
    if not found:  # nothing to look for is left: the minus signs were no operators
        found, excluded = terms(query)[:_MAX_TERMS], []
    is_plain = not (phrases or excluded)
    return KeywordQuery(
        text=query + rest if is_plain else " ".join(text.split()) + rest,
        words=_distinct(word for term in found for word in _expressions(term)),
        names=_distinct(quoted(name) for term in found for name in term.names),
        neighbors=_neighbors(found),
        required=" AND ".join(_phrase(phrase) for phrase in phrases),
        forbidden=" OR ".join(_phrase(word) for word in excluded),
    )


def quoted(*words: str) -> str:
    """One FTS5 string: a word, or words that follow each other."""
    return '"' + " ".join(words).replace('"', '""') + '"'


def _expressions(term: Term) -> Iterable[str]:
    if not term.unspaced:
        return (quoted(word) for word in term.words)
    # A single character is the beginning of the pairs it starts.
    return (quoted(pair) for pair in term.parts) if term.parts else (f"{quoted(term.whole)} *",)


def _neighbors(found: list[Term]) -> tuple[tuple[str, str], ...]:
    words = [term.words for term in found if not term.unspaced]
    flat = [word for each in words for word in each]
    return tuple(dict.fromkeys(pairwise(flat)))


def _phrase(text: str) -> str:
    """Matches a text word by word; of names, that one itself if it is alone in the text."""
    found = terms(text)
    if len(found) == 1 and found[0].names:
        return quoted(found[0].names[0])
    words = [word for term in found for word in (term.parts or term.words)]
    if len(words) == 1 and found[0].unspaced:
        return f"{quoted(*words)} *"
    return quoted(*words)


def _distinct(expressions: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(expressions))
