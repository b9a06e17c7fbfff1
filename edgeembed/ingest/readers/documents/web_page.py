"""HTML: the main text of a page, in the order of the page, by a parser that keeps no tree."""

import codecs
import re
from collections.abc import Iterator, Mapping

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.documents.markup import MarkupText
from edgeembed.ingest.readers.documents.packages import named_properties
from edgeembed.ingest.readers.documents.sections import Sections

_CHUNK = 1 << 16
_HEAD = 1 << 12
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_AUTHORS = ("author", "article:author", "dc.creator")
_DATES = ("date", "article:published_time", "dc.date", "dcterms.created", "last-modified")


class WebPageReader:
    """Reads HTML by lxml: scripts, styles, menus and lists of links are left out."""

    name = "HTML"
    suffixes = frozenset({".html", ".htm", ".xhtml"})
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
            sections.title = page.title
            if not sections.metadata:
                sections.metadata = _metadata(page.named)
        yield from page.close()
        yield from sections.end()


def _texts(source: Source) -> Iterator[str]:
    head = source.stream.read(_HEAD)
    source.stream.seek(0)
    decoder = codecs.getincrementaldecoder(_encoding(head, source))("replace")
    first = True
    while data := source.stream.read(_CHUNK):
        text = decoder.decode(data)
        yield text.removeprefix("\ufeff") if first else text
        first = False
    yield decoder.decode(b"", final=True)


def _encoding(head: bytes, source: Source) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if named := _CHARSET.search(head.lower()):
        try:
            name = codecs.lookup(named[1].decode("ascii")).name
        except (LookupError, UnicodeDecodeError):
            name = "utf-8"
        # A page that says in ASCII that it is UTF-16 is not; Latin-1 means cp1252 on the web.
        return {"utf-16": "utf-8", "iso8859-1": "cp1252", "ascii": "cp1252"}.get(name, name)
    return _guessed(source)


def _guessed(source: Source) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while data := source.stream.read(_CHUNK):
            decoder.decode(data)
    except UnicodeDecodeError:
        return "cp1252"
    finally:
        source.stream.seek(0)
    return "utf-8"


def _metadata(named: Mapping[str, str]) -> dict[str, str]:
    author = next((named[name] for name in _AUTHORS if name in named), "")
    date = next((named[name] for name in _DATES if name in named), "")
    return named_properties(author, date[:10] if _DATE.match(date) else "")
