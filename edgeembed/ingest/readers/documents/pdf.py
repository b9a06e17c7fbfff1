"""PDF, page by page."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.documents.flow import flowing
from edgeembed.ingest.readers.documents.packages import named_properties
from edgeembed.ingest.readers.documents.sections import pieces
from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

# What programs write where they know no title or author.
_NO_NAME = re.compile(r"\(?(untitled|anonymous|unspecified|unknown)\)?", re.IGNORECASE)
_PROGRAM = re.compile(r"^Microsoft (Word|PowerPoint|Excel) - ")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)")
_MAX_NAME = 500
_MAX_BOOKMARKS = 10_000
_MAX_ANNOTATIONS = 1000  # of a page that are looked at
_MAX_DAMAGED = 100  # of pages one after another; then no other is tried
_FORM_DEPTH = 3  # of groups within groups of drawings, looked into for pictures
# PDFium's mark of a hyphen at the end of a line, and the line's end.
_HYPHEN = re.compile("[\ufffe\u00ad\x02]\\s*")


class PdfReader:
    """Reads PDF by PDFium; what is drawn as a picture is said to be a scan."""

    name = "PDF"
    suffixes: frozenset[str] = frozenset({".pdf"})
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield a block for each page, under the bookmarks that lead to it.

        Raises:
            SkippedError: encrypted, damaged, or scanned throughout.
            MissingExtraError: pypdfium2 is not installed.
        """
        try:
            from pypdfium2 import PdfDocument, PdfiumError
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_extra("PDF", "documents") from error
        try:
            document = PdfDocument(source.stream)
        except PdfiumError as error:
            if "password" in str(error).lower():
                raise SkippedError(Reason.ENCRYPTED, "a password opens it") from error
            raise SkippedError(Reason.DAMAGED, f"{error}") from error
        with closing(document):
            yield from _pages(document)


def _pages(document: "PdfDocument") -> Iterator[Block | Remark]:
    count = len(document)
    title, metadata = _properties(document, count)
    bookmarks = _bookmarks(document)
    headings: tuple[str, ...] = ()
    found = False
    waiting: list[Remark] = []  # for a page with text: a file without any is skipped as a whole
    for number, content in _contents(document, count):
        headings = bookmarks.get(number, headings)
        if isinstance(content, Reason):
            waiting.append(Remark(reason=content, where=f"page {number}"))
        elif content:
            found = True
            yield from waiting
            waiting.clear()
            for piece in pieces(content):
                yield Block(
                    text=piece,
                    place={"page": number},
                    title=title,
                    headings=headings,
                    metadata=metadata,
                )
    if not found:
        _refuse(waiting, count)
    yield from waiting


def _contents(document: "PdfDocument", count: int) -> Iterator[tuple[int, str | Reason]]:
    """The text of each page, or why there is none."""
    from pypdfium2 import PdfiumError

    damaged = 0
    for index in range(count):
        try:
            page = _page(document, index)
        except PdfiumError:
            yield index + 1, Reason.DAMAGED
            damaged += 1
            if damaged == _MAX_DAMAGED:
                return  # a page tree that leads nowhere may promise a million
            continue
        damaged = 0
        with closing(page):
            text = _text(page)
            yield index + 1, Reason.SCANNED if not text and _has_picture(page) else text


def _page(document: "PdfDocument", index: int) -> "PdfPage":
    """Load a page; what is written into its forms becomes a part of its text."""
    from pypdfium2 import raw

    page = document[index]
    for number in range(min(raw.FPDFPage_GetAnnotCount(page), _MAX_ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        raw.FPDFPage_CloseAnnot(annotation)
        if kind in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT):
            raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
            page.close()
            return document[index]
    return page


def _refuse(remarks: list[Remark], count: int) -> None:
    scanned = sum(remark.reason is Reason.SCANNED for remark in remarks)
    if scanned:
        raise SkippedError(Reason.SCANNED, f"{scanned} of {count} pages are pictures")
    if remarks or not count:
        raise SkippedError(Reason.DAMAGED, f"none of {count} pages can be read")


def _text(page: "PdfPage") -> str:
    with closing(page.get_textpage()) as text_page:
        text = text_page.get_text_bounded()
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return flowing(_HYPHEN.sub("", text))


def _has_picture(page: "PdfPage") -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    return any(page.get_objects(filter=(FPDF_PAGEOBJ_IMAGE,), max_depth=_FORM_DEPTH))


def _properties(document: "PdfDocument", pages: int) -> tuple[str, dict[str, Any]]:
    found = document.get_metadata_dict(skip_empty=True)
    title, author = (
        "" if _NO_NAME.fullmatch(value) else value[:_MAX_NAME]
        for value in (" ".join(found.get(key, "").split()) for key in ("Title", "Author"))
    )
    date = _DATE.match(found.get("CreationDate", "") or found.get("ModDate", ""))
    named = named_properties(author, "-".join(date.groups()) if date else "")
    return _PROGRAM.sub("", title), {**named, "pages": pages}


def _bookmarks(document: "PdfDocument") -> dict[int, tuple[str, ...]]:
    """The path of the last bookmark of each page that has one."""
    paths: dict[int, tuple[str, ...]] = {}
    path: list[str] = []
    for index, bookmark in enumerate(document.get_toc()):
        if index >= _MAX_BOOKMARKS:
            break
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        path = [*path[: bookmark.level], " ".join(bookmark.get_title().split())[:_MAX_NAME]]
        if page is not None:
            # A page on which several begin stands under what they share: the first one's path.
            paths.setdefault(page + 1, tuple(path))
    return paths
