"""Plain text, in windows; source code is plain text too."""

from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.plain.decoded import DecodedText, windows


class TextReader:
    """Reads any text as it stands."""

    name = "text"
    suffixes: frozenset[str] = frozenset({".txt", ".text", ".log"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        for window in windows(text):
            if not window.text.isspace():
                yield Block(text=window.text, place={"line": window.line, "start": window.start})
        yield from text.remarks()
