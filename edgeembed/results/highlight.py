"""The sentence of a passage that answers best, and the words of the query in it.

Sentences are compared by their vectors, all of the shown passages in one batch. Where two are as
near, or there is no encoder, the one with more words of the query wins.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed.results.words import QueryWords, Span
from edgeembed_runtime.errors import EdgeEmbedError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.inputs.text.sentences import sentence_starts

# Bounds of what is encoded for one screen of results: it may take no longer than the search.
_MAX_SENTENCES_OF_ONE = 12
_MAX_SENTENCES = 128
_MAX_CHARACTERS = 400
# Only so much of a text is looked at; passages are far shorter.
_MAX_TEXT = 20_000
# Cosines within this are a tie.
_TIE = 0.01


@dataclass(frozen=True, kw_only=True)
class Highlight:
    """Spans of a text, as (start, end): its best sentence, if one stands out, and query words."""

    sentence: Span | None
    words: tuple[Span, ...]
    most_words: bool = False
    """Whether the text has more than half of the query's words."""


@dataclass(frozen=True, kw_only=True)
class _Sentence:
    """A sentence of the text with number `text`, and how many words of the query it has."""

    text: int
    span: Span
    words: int


def highlight(
    query: str, texts: Sequence[str], encoder: IndexEncoder | None = None
) -> list[Highlight]:
    """Find the best sentence and the query's words in each text.

    Args:
        query: what was searched for.
        texts: the shown passages.
        encoder: compares by meaning; None compares by words alone.
    """
    words = QueryWords(query)
    found = [words.find(text[:_MAX_TEXT]) for text in texts]
    sentences = [_split(words, n, text, found[n]) for n, text in enumerate(texts)]
    near = _cosines(query, texts, sentences, encoder)
    return [
        Highlight(
            sentence=_best(own, near),
            words=tuple(spans),
            most_words=words.mostly_in(text[:_MAX_TEXT], spans),
        )
        for own, spans, text in zip(sentences, found, texts, strict=True)
    ]


def _split(words: QueryWords, number: int, text: str, found: Sequence[Span]) -> list[_Sentence]:
    """The sentences that may be the best one: all, or those with most words of the query.

    A heading is none, unless there is nothing else: it says what an answer is about.
    """
    spans = list(_sentences(text[:_MAX_TEXT]))
    spans = [span for span in spans if not _HEADING.match(text, *span)] or spans
    every = [
        _Sentence(
            text=number,
            span=(start, end),
            words=words.distinct(text, [s for s in found if start <= s[0] and s[1] <= end]),
        )
        for start, end in spans
    ]
    return sorted(every, key=lambda s: (-s.words, s.span))[:_MAX_SENTENCES_OF_ONE]


def _cosines(
    query: str,
    texts: Sequence[str],
    sentences: Sequence[Sequence[_Sentence]],
    encoder: IndexEncoder | None,
) -> dict[tuple[int, Span], float]:
    """The cosine of each sentence to the query, by text and span; {} where words have to do."""
    batch = [each for own in sentences if len(own) > 1 for each in own][:_MAX_SENTENCES]
    if encoder is None or not batch or not query.strip():
        return {}
    cut = [texts[s.text][s.span[0] : s.span[1]][:_MAX_CHARACTERS] for s in batch]
    try:
        wanted = _unit(encoder.encode_query([query]))
        vectors = _unit(encoder.encode_document(cut))
    except EdgeEmbedError:  # the results are there; only their decoration is not
        return {}
    near = (vectors @ wanted[0]).tolist()
    return {(s.text, s.span): cosine for s, cosine in zip(batch, near, strict=True)}


def _best(sentences: Sequence[_Sentence], near: dict[tuple[int, Span], float]) -> Span | None:
    if len(sentences) == 1:
        return sentences[0].span
    compared = [s for s in sentences if (s.text, s.span) in near]
    if compared:
        top = max(near[s.text, s.span] for s in compared)
        sentences = [s for s in compared if near[s.text, s.span] >= top - _TIE]
    elif not any(s.words for s in sentences):
        return None
    return min(sentences, key=lambda s: (-s.words, s.span)).span


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors at unit length; zeros for one that has no direction."""
    finite = np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)
    return finite / np.maximum(np.linalg.norm(finite, axis=1, keepdims=True), 1e-12)


# A paragraph, a list item, a row of a table and a heading end a sentence without a full stop.
_BLOCK_END = re.compile(
    r"\n[ \t]*(?=\n|[-*+][ \t]|[|>]|#{1,6}[ \t]|\d{1,3}[.)]\s|```)|^#{1,6}[ \t].*\n", re.MULTILINE
)
_HEADING = re.compile(r"#{1,6}[ \t]")


def _sentences(text: str) -> Iterator[Span]:
    cuts = [0, *(match.end() for match in _BLOCK_END.finditer(text)), len(text)]
    for start, end in itertools.pairwise(cuts):
        block = text[start:end].rstrip()
        starts = [0, *sentence_starts(block), len(block)]
        for first, last in itertools.pairwise(starts):
            sentence = block[first:last]
            if sentence.strip():
                skipped = len(sentence) - len(sentence.lstrip())
                yield start + first + skipped, start + first + len(sentence.rstrip())
