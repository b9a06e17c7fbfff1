"""Paragraphs and headings, in the order of a document, become blocks: one for each section."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edgeembed.ingest.readers.base.protocol import MAX_BLOCK, Block

# Where a text that is too long is cut: the first of these that the last quarter of a piece has.
_CUTS = ("\n\n", "\n", ". ", " ")

_MAX_HEADING, _MAX_LEVEL = 300, 9


def pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces of at most MAX_BLOCK characters, between paragraphs if it has any."""
    start = 0
    while len(text) - start > MAX_BLOCK:
        end = start + MAX_BLOCK
        for cut in _CUTS:
            found = text.rfind(cut, start + MAX_BLOCK * 3 // 4, end)
            if found >= 0:
                end = found + len(cut)
                break
        yield text[start:end]
        start = end
    yield text[start:]


class Sections:
    """Collects a document's paragraphs; each call gives the blocks that became complete.

    The text of a section begins with its heading, so that a heading without text is not lost.

    Attributes:
        has_given: whether there was any block so far.
    """

    def __init__(self, *, title: str = "", metadata: Mapping[str, Any] | None = None) -> None:
        self.title = title
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.place: dict[str, int | str] = {}
        self.has_given: bool = False
        self._headings: list[tuple[int, str]] = []
        self._texts: list[str] = []
        self._characters = 0
        self._has_paragraph = False

    def heading(self, level: int, text: str) -> Iterator[Block]:
        """Begin a section below the headings of smaller levels."""
        level = min(level, _MAX_LEVEL)
        text = " ".join(text.split())
        if not text or (self._texts and self._texts[-1] == text and not self._has_paragraph):
            return  # said twice: by the table of contents and by the chapter
        # A heading just below another begins no block of its own.
        if self._has_paragraph or (self._headings and level <= self._headings[-1][0]):
            yield from self.end()
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, text[:_MAX_HEADING]))
        self._add(text)

    def paragraph(self, text: str, joint: str = "\n\n") -> Iterator[Block]:
        """Add a paragraph, or by the joint of one line end a line, to the section."""
        text = text.strip()
        if not text:
            return
        if self._characters + len(text) > MAX_BLOCK:
            yield from self.end()
        *whole, rest = pieces(text)
        yield from map(self._block, whole)
        self._add(rest, joint)
        self._has_paragraph = True

    def end(self) -> Iterator[Block]:
        """Give what is collected; what follows stands under the same headings."""
        text = "".join(self._texts).strip()
        self._texts.clear()
        self._characters = 0
        self._has_paragraph = False
        if text:
            yield from map(self._block, pieces(text))

    def leave(self) -> Iterator[Block]:
        """Give what is collected, and forget the headings: a new page, slide or chapter."""
        yield from self.end()
        self._headings.clear()

    def aside(self, heading: str, texts: Iterable[str]) -> Iterator[Block]:
        """Give what stands beside the text, under a heading that it has not in the document.

        Texts without a letter, such as the number of a page, say nothing.
        """
        telling = [text for text in texts if any(map(str.isalpha, text))]
        if telling:
            yield from self.heading(1, heading)
            for text in telling:
                yield from self.paragraph(text)
        yield from self.leave()

    def _add(self, text: str, joint: str = "\n\n") -> None:
        self._texts.extend((joint, text) if self._texts else (text,))
        self._characters += len(joint) + len(text)

    def _block(self, text: str) -> Block:
        self.has_given = True
        return Block(
            text=text,
            place=dict(self.place),
            title=self.title,
            headings=tuple(heading for _, heading in self._headings),
            metadata=self.metadata,
        )
