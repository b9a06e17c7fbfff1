"""PDF, page by page."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.documents.packages import named_properties
from edgeembed.ingest.readers.documents.sections import pieces
from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

# What programs write where they know no title or author.
_NO_NAME = re.compile(r"\(?(untitled|anonymous|unspecified|unknown)\)?", re.IGNORECASE)
_PROGRAM = re.compile(r"^Microsoft (Word|PowerPoint|Excel) - ")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)")
_MAX_BOOKMARKS = 10_000
_FORM_DEPTH = 3  # of groups within groups of drawings, looked into for pictures
# PDFium's mark of a hyphen at the end of a line, and the line's end.
_HYPHEN = re.compile("[\ufffe\u00ad\x02]\\s*")


class PdfReader:
    """Reads PDF by PDFium; what is drawn as a picture is said to be a scan."""

    name = "PDF"
    suffixes = frozenset({".pdf"})
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
    from pypdfium2 import PdfiumError

    count = len(document)
    title, metadata = _properties(document, count)
    bookmarks = _bookmarks(document)
    headings: tuple[str, ...] = ()
    found = False
    scanned: list[int] = []  # pages that wait for one with text: a whole scan is no remark
    damaged = 0
    for number in range(1, count + 1):
        headings = bookmarks.get(number, headings)
        try:
            page = document[number - 1]
        except PdfiumError:
            damaged += 1
            yield Remark(reason=Reason.DAMAGED, where=f"page {number}")
            continue
        with closing(page):
            text = _text(page)
            if not text and _has_picture(page):
                scanned.append(number)
        if not text:
            continue
        found = True
        yield from map(_scan, scanned)
        scanned.clear()
        for piece in pieces(text):
            yield Block(
                text=piece,
                place={"page": number},
                title=title,
                headings=headings,
                metadata=metadata,
            )
    if found:
        yield from map(_scan, scanned)
    elif scanned:
        raise SkippedError(Reason.SCANNED, f"{len(scanned)} of {count} pages are pictures")
    elif damaged or not count:
        raise SkippedError(Reason.DAMAGED, f"none of {count} pages can be read")


def _scan(number: int) -> Remark:
    return Remark(reason=Reason.SCANNED, where=f"page {number}")


def _text(page: "PdfPage") -> str:
    with closing(page.get_textpage()) as text_page:
        text = text_page.get_text_bounded()
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return _HYPHEN.sub("", text).strip()


def _has_picture(page: "PdfPage") -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    return any(page.get_objects(filter=(FPDF_PAGEOBJ_IMAGE,), max_depth=_FORM_DEPTH))


def _properties(document: "PdfDocument", pages: int) -> tuple[str, dict[str, Any]]:
    found = document.get_metadata_dict(skip_empty=True)
    title, author = (
        "" if _NO_NAME.fullmatch(value) else value
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
        path = [*path[: bookmark.level], " ".join(bookmark.get_title().split())]
        if page is not None:
            # A page on which several begin stands under what they share: the first one's path.
            paths.setdefault(page + 1, tuple(path))
    return paths
