"""Markdown and reStructuredText: the text as it stands, under its headings."""

import itertools
from collections.abc import Iterator
from typing import Any

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, Source
from edgeembed.ingest.readers.plain.decoded import DecodedText, Window, windows
from edgeembed.ingest.readers.plain.front_matter import split_front_matter
from edgeembed.ingest.readers.plain.sectioned import sectioned
from edgeembed_runtime.errors import MissingExtraError


class MarkdownReader:
    """Reads Markdown; front matter becomes metadata, and its `title` the title."""

    name = "Markdown"
    suffixes: frozenset[str] = frozenset(
        {".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"}
    )
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        found = windows(text)
        first = next(found, None)
        if first is not None:
            metadata, start = dict[str, Any](), 0
            try:
                metadata, start = split_front_matter(first.text)
            except (ValueError, MissingExtraError) as error:  # then it is text
                reason = Reason.DAMAGED if isinstance(error, ValueError) else Reason.NO_READER
                yield Remark(reason=reason, where="front matter", detail=str(error))
            blocks = _blocks(itertools.chain([first.part(start)], found), metadata)
            # A card: it says all that it has to say in its front matter.
            yield from _or_else(blocks, _card(first.part(0, start), metadata))
        yield from text.remarks()


class RestReader:
    """Reads reStructuredText."""

    name = "reStructuredText"
    suffixes: frozenset[str] = frozenset({".rst", ".rest"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        yield from _blocks(windows(text), {})
        yield from text.remarks()


def _or_else(blocks: Iterator[Block], other: Iterator[Block]) -> Iterator[Block]:
    first = next(blocks, None)
    yield from other if first is None else itertools.chain([first], blocks)


def _card(front: Window, metadata: dict[str, Any]) -> Iterator[Block]:
    """Front matter as text, without the lines around it."""
    first, *lines = front.text.splitlines(keepends=True) or [""]
    body = "".join(lines[:-1])
    yield from _blocks(iter([front.part(len(first), len(first) + len(body))]), metadata)


def _blocks(found: Iterator[Window], metadata: dict[str, Any]) -> Iterator[Block]:
    title = metadata.get("title")
    for window, headings in sectioned(found):
        if window.text and not window.text.isspace():
            yield Block(
                text=window.text,
                place={"line": window.line, "start": window.start},
                title=title.strip() if isinstance(title, str) else "",
                headings=headings,
                metadata=metadata,
            )
