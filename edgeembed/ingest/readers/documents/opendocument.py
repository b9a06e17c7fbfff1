"""OpenDocument texts and presentations (.odt, .odp), read as a stream of XML."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.documents.packages import (
    open_package,
    opendocument_properties,
    refuse_encrypted_opendocument,
)
from edgeembed.ingest.readers.documents.rows import table_text
from edgeembed.ingest.readers.documents.safe_xml import (
    local_name,
    parse_xml,
    require_lxml,
    walk_xml,
)
from edgeembed.ingest.readers.documents.sections import Sections

if TYPE_CHECKING:
    from lxml.etree import _Element  # pyright: ignore[reportPrivateUsage]

# What is deleted, said about the text, or repeats it.
_LEFT_OUT = frozenset(
    {
        "tracked-changes",
        "annotation",
        "table-of-content",
        "alphabetical-index",
        "illustration-index",
        "table-index",
        "styles",
        "automatic-styles",
        "master-styles",
        "meta",
        "settings",
        "scripts",
        "binary-data",
    }
)
_PARAGRAPHS = frozenset({"p", "h"})
_MAX_SPACES = 100


class OpenDocumentReader:
    """Reads .odt and .odp, and their forms in one XML file."""

    name = "OpenDocument"
    suffixes: frozenset[str] = frozenset(
        {".odt", ".ott", ".odp", ".otp", ".fodt", ".fodp", ".fods"}
    )
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield a block for each section, or for each slide and its notes.

        Raises:
            SkippedError: encrypted, damaged, or too large.
            MissingExtraError: lxml is not installed.
        """
        require_lxml("OpenDocument")
        with _content(source) as (stream, title, metadata, around):
            sections = Sections(title=title, metadata=metadata)
            yield from _Content(sections).read(stream)
            for name in ("Header", "Footer"):
                yield from sections.leave()
                yield from sections.aside(name, _around(around, name.lower()))


@contextmanager
def _content(source: Source) -> Generator[tuple[IO[bytes], str, dict[str, Any], "_Element | None"]]:
    """The text, its title and metadata, and the styles of its pages."""
    if source.name.lower().endswith((".fodt", ".fodp", ".fods")):
        yield source.stream, "", {}, None
        return
    with open_package(source) as package:
        refuse_encrypted_opendocument(package)
        title, metadata = opendocument_properties(package)
        has_styles = "styles.xml" in package.namelist()
        styles = parse_xml(package.read("styles.xml")) if has_styles else None
        with package.open("content.xml") as stream:
            yield stream, title, metadata, styles


def _around(styles: "_Element | None", name: str) -> Iterator[str]:
    """The distinct paragraphs of the headers or footers of all kinds of pages."""
    found: dict[str, None] = {}
    for each in () if styles is None else styles.iter("{*}*"):
        if local_name(each) in (name, f"{name}-first", f"{name}-left"):
            for paragraph in each.iter("{*}p", "{*}h"):
                found[_text(paragraph).strip()] = None
    yield from found


class _Content:
    """Reads elements as they end; what was read is taken out of memory."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections
        self._left_out = 0
        self._slide = 0
        self._is_title = False
        # Of the outermost table: its rows, the paragraphs of the present cell, and how deep.
        self._rows: list[list[str]] = []
        self._cell: list[str] = []
        self._tables = 0

    def read(self, stream: IO[bytes]) -> Iterator[Block]:
        for event, element in walk_xml(stream):
            name = local_name(element)
            if name in _LEFT_OUT:
                self._left_out += 1 if event == "start" else -1
                if not self._left_out:
                    element.clear(keep_tail=True)  # not a part of the paragraph around it
            if self._left_out:
                continue
            if event == "start":
                yield from self._begin(name, element)
            else:
                yield from self._finish(name, element)
                if name in _PARAGRAPHS or name in ("table", "page"):
                    _forget(element)
        yield from self._sections.end()

    def _begin(self, name: str, element: "_Element") -> Iterator[Block]:
        if name == "page":
            yield from self._sections.leave()
            self._slide += 1
            self._sections.place = {"slide": self._slide}
        elif name == "notes" and self._slide:
            yield from self._sections.heading(2, "Notes")
        elif name == "frame":
            self._is_title = _attribute(element, "class") == "title"
        elif name == "table":
            self._tables += 1
        elif name == "table-row" and self._tables == 1:
            self._rows.append([])

    def _finish(self, name: str, element: "_Element") -> Iterator[Block]:
        if name in _PARAGRAPHS:
            text = _text(element)
            if self._tables:
                self._cell.append(text)
            elif name == "h" or self._is_title:
                yield from self._sections.heading(_level(element), text)
            else:
                yield from self._sections.paragraph(text)
        elif name == "frame":
            self._is_title = False
        elif name in ("table-cell", "covered-table-cell") and self._tables == 1 and self._rows:
            self._rows[-1].append(" ".join(" ".join(self._cell).split()))
            self._cell.clear()
        elif name == "table":
            self._tables -= 1
            if not self._tables:
                text = table_text(self._rows)
                self._rows.clear()
                self._cell.clear()
                yield from self._sections.paragraph(text)


def _level(element: "_Element") -> int:
    level = _attribute(element, "outline-level")
    return int(level) if level.isdecimal() else 1


def _attribute(element: "_Element", name: str) -> str:
    return next(
        (
            str(value)
            for key, value in element.attrib.items()
            if str(key).rpartition("}")[2].rpartition(":")[2] == name
        ),
        "",
    )


def _text(element: "_Element") -> str:
    found = [element.text or ""]
    for each in element.iterdescendants("{*}*"):
        name = local_name(each)
        if name == "s":
            count = _attribute(each, "c")
            found.append(" " * min(int(count) if count.isdecimal() else 1, _MAX_SPACES))
        elif name == "tab":
            found.append("\t")
        elif name == "line-break":
            found.append("\n")
        found.extend((each.text or "", each.tail or ""))
    return "".join(found)


def _forget(element: "_Element") -> None:
    element.clear(keep_tail=True)
    parent = element.getparent()
    if parent is None or local_name(parent) in _PARAGRAPHS:
        return
    while parent[0] is not element:
        del parent[0]
