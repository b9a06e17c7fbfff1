"""HTML: the main text of a page, in the order of the page, by a parser that keeps no tree."""

import codecs
import re
from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.documents.markup import MarkupText
from edgeembed.ingest.readers.documents.sections import Sections
from edgeembed.ingest.readers.plain.encoding import encoding_of

_CHUNK = 1 << 16
_HEAD = 1 << 12
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BY_ESCAPES = frozenset({"hz", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_kr"})
_MEANT = {"ascii": "cp1252", "iso8859-1": "cp1252", "utf-16": "utf-8"}
_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""")


class WebPageReader:
    """Reads HTML by lxml: scripts, styles, menus and lists of links are left out."""

    name = "HTML"
    suffixes: frozenset[str] = frozenset({".html", ".htm", ".xhtml"})
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield a block for each section.

        Raises:
            SkippedError: the parser gives up on it.
            MissingExtraError: lxml is not installed.
        """
        sections = Sections()
        page = MarkupText(sections)
        for text in _texts(source):
            yield from page.feed(text)
        yield from page.close()
        yield from sections.end()
        if sections.title and not sections.has_given:
            yield Block(text="", title=sections.title, metadata=sections.metadata)


def _texts(source: Source) -> Iterator[str]:
    encoding, mark = _encoding(source)
    source.stream.seek(mark)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    left = source.size - mark  # a writer may append for ever
    while left > 0 and (data := source.stream.read(min(_CHUNK, left))):
        left -= len(data)
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def _encoding(source: Source) -> tuple[str, int]:
    """The encoding, and the bytes of its mark.

    What the page says counts less than a mark, and than being valid UTF-8: editors and browsers
    that save a page in another encoding leave its words as they are.
    """
    head = source.stream.read(_HEAD)
    said = _CHARSET.search(head.lower())
    if said is None or head.startswith(_MARKS):
        found = encoding_of(source.stream)
        return found.name, found.mark
    try:
        name = codecs.lookup(said[1].decode("ascii")).name
        b" ".decode(name, "replace")  # "base64" is one that has no text
    except (LookupError, UnicodeDecodeError):
        return encoding_of(source.stream).name, 0
    if name in _BY_ESCAPES or not _is_utf8(source):
        # On the web, Latin-1 means cp1252; a page that says UTF-16 in ASCII is not.
        return _MEANT.get(name, name), 0
    return "utf-8", 0


def _is_utf8(source: Source) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    source.stream.seek(0)
    try:
        while data := source.stream.read(_CHUNK):
            decoder.decode(data)
    except UnicodeDecodeError:
        return False
    return True
