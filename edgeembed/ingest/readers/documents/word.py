"""Word documents (.docx): paragraphs and tables in order, under their headings."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.documents.packages import (
    office_properties,
    open_package,
    text_parts,
)
from edgeembed.ingest.readers.documents.rows import table_text
from edgeembed.ingest.readers.documents.safe_xml import parse_xml
from edgeembed.ingest.readers.documents.sections import Sections
from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from docx.document import Document
    from lxml.etree import _Element  # pyright: ignore[reportPrivateUsage]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_P, _TBL, _TR, _TC, _T = (_W + name for name in ("p", "tbl", "tr", "tc", "t"))
# Text that stands twice in the file: for older programs, and where it was moved away from.
_TWICE = frozenset({_FALLBACK, _W + "moveFrom"})
_MARKS = {
    _W + "tab": "\t",
    _W + "br": "\n",
    _W + "cr": "\n",
    _W + "noBreakHyphen": "-",
    _P: "\n",  # of a text box within a paragraph
}
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_TITLE, _CONTENTS = 0, -1  # levels: above all headings; a table of contents, which is left out
# Parts of the file beside the body; first, even and other pages have headers of their own.
_BESIDE = {
    "header": "Header",
    "footer": "Footer",
    "footnotes": "Footnotes",
    "endnotes": "Endnotes",
    "comments": "Comments",
}


class WordReader:
    """Reads .docx by python-docx, text boxes and content controls included."""

    name = "Word"
    suffixes: frozenset[str] = frozenset({".docx", ".docm", ".dotx", ".dotm"})
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield a block for each section; headers, footnotes and comments come last, once each.

        Raises:
            SkippedError: encrypted, damaged, or too large.
            MissingExtraError: python-docx is not installed.
        """
        try:
            import docx
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_extra("Word documents", "documents") from error
        with open_package(source) as package:
            title, metadata = office_properties(package)
            document = docx.Document(text_parts(package))
        sections = Sections(title=title, metadata=metadata)
        levels = _levels(document)
        yield from _body(document.element.body, levels, sections)
        yield from sections.leave()
        for kind, texts in _beside(document).items():
            yield from sections.aside(_BESIDE[kind], texts)


def _beside(document: "Document") -> dict[str, dict[str, None]]:
    """The distinct paragraphs beside the body, by kind of part."""
    found: dict[str, dict[str, None]] = {kind: {} for kind in _BESIDE}
    for relation in document.part.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if kind in found and not relation.is_external:
            root = parse_xml(relation.target_part.blob)
            for paragraph in () if root is None else root.iter(_P):
                found[kind][_text(paragraph).strip()] = None
    return found


def _body(body: "_Element", levels: dict[str, int], sections: Sections) -> Iterator[Block]:
    import lxml.etree as etree

    walk = etree.iterwalk(body, events=("start",), tag=(_P, _TBL))
    for _, element in walk:
        if element.tag == _P:
            walk.skip_subtree()
            yield from _paragraph(element, levels, sections)
            continue
        rows = [
            [" ".join(_text(cell).split()) for cell in row.iterchildren(_TC)]
            for row in element.iterchildren(_TR)
        ]
        if max(map(len, rows), default=0) > 1:  # else a frame, whose text is read as text
            walk.skip_subtree()
            yield from sections.paragraph(table_text(rows))


def _paragraph(element: "_Element", levels: dict[str, int], sections: Sections) -> Iterator[Block]:
    style = element.find(f"{_W}pPr/{_W}pStyle")
    level = levels.get(style.get(_W + "val", "")) if style is not None else None
    own = element.find(f"{_W}pPr/{_W}outlineLvl")
    if level is None and own is not None:
        level = _outline_level(own)
    text = _text(element)
    if level == _CONTENTS:
        return
    if level is None:
        yield from sections.paragraph(text)
        return
    if level == _TITLE and not sections.title:
        sections.title = " ".join(text.split())
    yield from sections.heading(level, text)


def _text(element: "_Element") -> str:
    import lxml.etree as etree

    found: list[str] = []
    walk = etree.iterwalk(element, events=("start",))
    for _, each in walk:
        if each.tag in _TWICE:
            walk.skip_subtree()
        elif each.tag == _T:
            found.append(each.text or "")
        elif each.tag in _MARKS and each.getparent().tag != _W + "tabs":
            found.append(_MARKS[each.tag])
    return "".join(found)


def _levels(document: "Document") -> dict[str, int]:
    """The levels of the styles of headings, by their ids; those based on them have the same."""
    levels: dict[str, int] = {}
    for style in document.styles.element.iterchildren(_W + "style"):
        identity = style.get(_W + "styleId", "")
        name = _value(style, "name")
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        based = _value(style, "basedOn")
        if found := _HEADING.fullmatch(name):
            levels[identity] = int(found[1])
        elif name.lower() == "title":
            levels[identity] = _TITLE
        elif name.lower().startswith("toc "):
            levels[identity] = _CONTENTS
        elif outline is not None and (level := _outline_level(outline)) is not None:
            levels[identity] = level
        elif based in levels:
            levels[identity] = levels[based]
    return levels


def _outline_level(element: "_Element") -> int | None:
    value = element.get(_W + "val", "")
    return int(value) + 1 if value in frozenset("012345678") else None  # 9 is body text


def _value(element: "_Element", name: str) -> str:
    child = element.find(_W + name)
    return "" if child is None else child.get(_W + "val", "")
