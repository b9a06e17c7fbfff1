"""PowerPoint presentations (.pptx), slide by slide, with their notes."""

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
    from lxml.etree import _Element  # pyright: ignore[reportPrivateUsage]
    from pptx.slide import Slide

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SHAPE, _PARAGRAPH, _TABLE = _P + "sp", _A + "p", _A + "tbl"
# Placeholders that say the same on every slide.
_REPEATED = frozenset({"sldNum", "dt", "ftr", "hdr"})
_TITLES = frozenset({"title", "ctrTitle"})
_NOTES = "Notes"


class SlidesReader:
    """Reads .pptx by python-pptx: titles, texts, tables, diagrams and notes."""

    name = "PowerPoint"
    suffixes: frozenset[str] = frozenset({".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"})
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield a block for each slide, and one for its notes.

        Raises:
            SkippedError: encrypted, damaged, or too large.
            MissingExtraError: python-pptx is not installed.
        """
        try:
            import pptx
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_extra("PowerPoint presentations", "documents") from error
        with open_package(source) as package:
            title, metadata = office_properties(package)
            presentation = pptx.Presentation(text_parts(package))
        count = len(presentation.slides)
        title = "" if title == "PowerPoint Presentation" else title
        sections = Sections(title=title, metadata={**metadata, "slides": count})
        for number, slide in enumerate(presentation.slides, 1):
            sections.place = {"slide": number}
            yield from _slide(slide, sections)
            yield from sections.leave()


def _slide(slide: "Slide", sections: Sections) -> Iterator[Block]:
    title = _title(slide.element)
    yield from sections.heading(1, title)
    yield from _texts(slide.element, sections, without=_TITLES if title else frozenset())
    for relation in slide.part.rels.values():
        if relation.reltype.endswith("/diagramData") and not relation.is_external:
            root = parse_xml(relation.target_part.blob)
            if root is not None:
                for paragraph in root.iter(_PARAGRAPH):
                    yield from sections.paragraph(_text(paragraph), "\n")
    if slide.has_notes_slide:
        yield from sections.heading(2, _NOTES)
        yield from _texts(slide.notes_slide.element, sections)


def _title(slide: "_Element") -> str:
    for shape in slide.iter(_SHAPE):
        if _kind(shape) in _TITLES:
            return " ".join(_text(p) for p in shape.iter(_PARAGRAPH))
    return ""


def _texts(
    slide: "_Element", sections: Sections, without: frozenset[str] = frozenset()
) -> Iterator[Block]:
    import lxml.etree as etree

    joint = "\n\n"  # between shapes
    walk = etree.iterwalk(slide, events=("start",), tag=(_SHAPE, _PARAGRAPH, _TABLE, _FALLBACK))
    for _, element in walk:
        if element.tag == _SHAPE:
            joint = "\n\n"
            if _kind(element) in _REPEATED | without:
                walk.skip_subtree()
        elif element.tag == _PARAGRAPH:
            yield from sections.paragraph(_text(element), joint)
            joint = "\n"
        else:
            walk.skip_subtree()
            if element.tag == _TABLE:
                yield from sections.paragraph(_rows(element))


def _rows(table: "_Element") -> str:
    rows = [
        [" ".join(" ".join(_text(p) for p in cell.iter(_PARAGRAPH)).split()) for cell in row]
        for row in table.iterchildren(_A + "tr")
    ]
    return table_text(rows)


def _kind(shape: "_Element") -> str:
    placeholder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return "" if placeholder is None else placeholder.get("type", "")


def _text(paragraph: "_Element") -> str:
    marks = {_A + "br": "\n", _A + "tab": "\t"}
    return "".join(
        (each.text or "") if each.tag == _A + "t" else marks[each.tag]
        for each in paragraph.iter(_A + "t", *marks)
    ).strip()
