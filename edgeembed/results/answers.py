"""Hits made ready to be shown: folded, located, highlighted, and cut to what fits."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeembed.results.confidence import Word, confidence_word
from edgeembed.results.duplicates import Folded
from edgeembed.results.highlight import Highlight, highlight
from edgeembed.results.location import Location, location_of
from edgeembed.results.printable import printable, unwrapped
from edgeembed.results.words import Span
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.types import Hit

ELLIPSIS = "…"
_NO_HIGHLIGHT = Highlight(sentence=None, words=())


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a passage in one look; its text is printable."""

    text: str
    best: bool = False
    """In the best sentence, where that is not the whole passage."""
    word: bool = False
    """A word of the query."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A result: the hit, where it is and where else, and what to look at in its text."""

    rank: int
    hit: Hit
    location: Location
    also_in: tuple[Location, ...]
    highlight: Highlight

    @property
    def text(self) -> str:
        """The passage, "" where the hit has no text."""
        return self.hit.document or ""

    @property
    def best_sentence(self) -> str | None:
        """The text of the best sentence, if one stands out."""
        span = self.highlight.sentence
        return None if span is None else self.text[span[0] : span[1]]

    @property
    def confidence(self) -> Word | None:
        """How sure the result is; None where nothing is known."""
        if self.hit.probability is None:
            return None
        return confidence_word(self.hit.probability, has_most_words=self.highlight.most_words)

    def segments(self, limit: int | None = None) -> Iterator[Segment]:
        """The passage in pieces of one look each.

        Args:
            limit: show about so many characters, around the best sentence; None shows all.
        """
        shown = printable(unwrapped(self.text))
        start, end = (0, len(shown)) if limit is None else self._window(limit)
        if start > 0:
            yield Segment(text=f"{ELLIPSIS} ")
        sentence = self.highlight.sentence
        if sentence is None or not _stands_out(self.text, sentence):
            sentence = (0, 0)
        ends = {start, end, *sentence}
        ends.update(place for span in self.highlight.words for place in span)
        cuts = sorted(place for place in ends if start <= place <= end)
        words = {first for first, _ in self.highlight.words}
        for a, b in itertools.pairwise(cuts):
            yield Segment(
                text=shown[a:b],
                best=sentence[0] <= a and b <= sentence[1],
                word=a in words,
            )
        if end < len(self.text):
            yield Segment(text=f" {ELLIPSIS}")

    def _window(self, limit: int) -> Span:
        """About `limit` characters with the start of the best sentence, cut between words."""
        text = self.text
        if len(text) <= limit:
            return 0, len(text)
        first = self.highlight.words[0] if self.highlight.words else (0, 0)
        best = self.highlight.sentence or first
        if best[1] <= limit:
            return 0, _word_end(text, limit)
        room = max(0, limit - (best[1] - best[0]))
        start = min(best[0] - room // 2, len(text) - limit)
        if start <= 0:
            return 0, _word_end(text, limit)
        space = re.compile(r"\s").search(text, start, best[0])
        start = space.end() if space else best[0]
        return start, _word_end(text, start + limit)


def answers_of(
    query: str | None, folded: Sequence[Folded], encoder: IndexEncoder | None = None
) -> list[Answer]:
    """Make results ready to be shown.

    Args:
        query: the words that were searched for; None highlights nothing.
        folded: the results, best first.
        encoder: finds the best sentences by meaning; None finds them by words.
    """
    texts = [each.hit.document or "" for each in folded]
    if query is None:
        highlights = [_NO_HIGHLIGHT for _ in texts]
    else:
        highlights = highlight(query, texts, encoder)
    return [
        Answer(
            rank=rank,
            hit=each.hit,
            location=location_of(each.hit),
            also_in=tuple(location_of(other) for other in each.others),
            highlight=found,
        )
        for rank, (each, found) in enumerate(zip(folded, highlights, strict=True), 1)
    ]


def nothing_fits(answers: Sequence[Answer]) -> bool:
    """Whether there are results, and every one of them is known not to fit."""
    return bool(answers) and all(answer.confidence == "unlikely" for answer in answers)


def _stands_out(text: str, sentence: Span) -> bool:
    return bool(text[: sentence[0]].strip() or text[sentence[1] :].strip())


def _word_end(text: str, limit: int) -> int:
    """The end of the last word that ends within `limit`; `limit` itself inside a long run."""
    if limit >= len(text):
        return len(text)
    space = max(text.rfind(" ", limit - 40, limit + 1), text.rfind("\n", limit - 40, limit + 1))
    return space if space > 0 else limit
