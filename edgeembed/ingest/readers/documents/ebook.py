"""Books (.epub), chapter by chapter."""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from zlib import error as zlib_error

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.documents.markup import MarkupText
from edgeembed.ingest.readers.documents.packages import open_package, properties_of
from edgeembed.ingest.readers.documents.safe_xml import parse_xml, require_lxml
from edgeembed.ingest.readers.documents.sections import Sections

if TYPE_CHECKING:
    from lxml.etree import _Element  # pyright: ignore[reportPrivateUsage]

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_CHAPTERS = (".xhtml", ".html", ".htm")
_MAX_MEMBER = 64 << 20
_VOID = "area|base|br|col|hr|img|input|link|meta|source|track|wbr"
_CLOSED = re.compile(rf"<(?!(?:{_VOID})\b)(\w+)((?:\s[^<>]*)?)/>")


class EbookReader:
    """Reads .epub in the order of its spine."""

    name = "EPUB"
    suffixes: frozenset[str] = frozenset({".epub"})
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield a block for each section; a chapter without headings has that of the contents.

        Raises:
            SkippedError: encrypted, damaged, or too large.
            MissingExtraError: lxml is not installed.
        """
        require_lxml("EPUB")
        with open_package(source) as package:
            book = _Book(package)
            encrypted = 0
            for number, name in enumerate(book.chapters, 1):
                if name in book.encrypted:
                    encrypted += 1
                    yield Remark(reason=Reason.ENCRYPTED, where=f"chapter {number}")
                    continue
                yield from _chapter(package, book, name, number)
            if encrypted and encrypted == len(book.chapters):
                raise SkippedError(Reason.ENCRYPTED, "protected by its seller")
            if not book.chapters:
                raise SkippedError(Reason.DAMAGED, "no chapters in it")


def _chapter(
    package: zipfile.ZipFile, book: "_Book", name: str, number: int
) -> Iterator[Block | Remark]:
    sections = Sections(title=book.title, metadata=book.metadata)
    sections.place = {"chapter": number}
    if name in book.contents:
        # The level above all headings within the chapter; the same words are not said twice.
        yield from sections.heading(0, book.contents[name])
    markup = MarkupText(sections)
    try:
        text = _read(package, name).decode("utf-8", "replace")
    except (zipfile.BadZipFile, EOFError, zlib_error) as error:
        yield Remark(reason=Reason.DAMAGED, where=f"chapter {number}", detail=f"{error}")
        return
    # In HTML, which has more entities than XML, such an element is open until the chapter's end.
    yield from markup.feed(_CLOSED.sub(r"<\1\2></\1>", text))
    yield from markup.close()
    yield from sections.end()


def _read(package: zipfile.ZipFile, name: str) -> bytes:
    """Read a member of a bounded size.

    Raises:
        SkippedError: it is larger.
    """
    size = package.getinfo(name).file_size
    if size > _MAX_MEMBER:
        raise SkippedError(
            Reason.TOO_LARGE, f"{name} has {size >> 20} MB, of at most {_MAX_MEMBER >> 20} MB"
        )
    return package.read(name)


class _Book:
    """What the package says of the book.

    Attributes:
        title: of the book.
        metadata: author and date.
        chapters: names of the members with its text, in reading order.
        contents: the heading of the table of contents that leads to each chapter.
        encrypted: members that cannot be read.
    """

    def __init__(self, package: zipfile.ZipFile) -> None:
        self._package = package
        self._names = set(package.namelist())
        self.title = ""
        self.metadata: dict[str, Any] = {}
        self.contents: dict[str, str] = {}
        self.chapters = sorted(name for name in self._names if name.lower().endswith(_CHAPTERS))
        encryption = self._parsed(_ENCRYPTION)
        self.encrypted = {
            unquote(uri)
            for each in ([] if encryption is None else encryption.iter("{*}CipherReference"))
            if (uri := each.get("URI"))
        }
        container = self._parsed(_CONTAINER)
        if container is None:
            return  # made by hand: the chapters in the order of their names
        for rootfile in container.iter("{*}rootfile"):
            name = rootfile.get("full-path", "")
            root = self._parsed(name)
            if root is not None:
                self._read(root, posixpath.dirname(name))
                return

    def _read(self, root: "_Element", folder: str) -> None:
        metadata = root.find("{*}metadata")
        if metadata is not None:
            self.title, self.metadata = properties_of(metadata, ("creator",), ("date",))
        items = {
            item.get("id", ""): item
            for item in root.iter("{*}item")
            if item.get("href") is not None
        }
        names = {key: _resolved(folder, item.get("href", "")) for key, item in items.items()}
        spine = [names.get(each.get("idref", ""), "") for each in root.iter("{*}itemref")]
        navigation = [
            names[key]
            for key, item in items.items()
            if "nav" in item.get("properties", "").split()
            or item.get("media-type") == "application/x-dtbncx+xml"
        ]
        for name in navigation:
            self._read_contents(name)
        read = [name for name in dict.fromkeys(spine) if name in self._names]
        self.chapters = [name for name in read if name not in navigation] or self.chapters

    def _read_contents(self, name: str) -> None:
        """Take the headings of a table of contents, of EPUB 2 or 3."""
        root = self._parsed(name)
        if root is None:
            return
        folder = posixpath.dirname(name)
        for element in root.iter("{*}navPoint", "{*}a"):
            source = element.find("{*}content")
            link = element.get("href", "") if source is None else source.get("src", "")
            label = element if source is None else element.find("{*}navLabel")
            text = "" if label is None else " ".join("".join(label.itertext()).split())
            target = _resolved(folder, link.partition("#")[0])
            if text and link:
                self.contents.setdefault(target, text)

    def _parsed(self, name: str) -> "_Element | None":
        return parse_xml(_read(self._package, name)) if name in self._names else None


def _resolved(folder: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(link)))
