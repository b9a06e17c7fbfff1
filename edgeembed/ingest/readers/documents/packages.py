"""Documents that are zip files of XML: opened within bounds, and their properties."""

import io
import re
import struct
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zlib import error as zlib_error

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError, Source
from edgeembed.ingest.readers.documents.safe_xml import parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element  # pyright: ignore[reportPrivateUsage]

# What Office files were before 2007, and what encrypted ones are today.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_OLE_BYTES = 1 << 22
_FREE_BYTES = 1 << 20
_MAX_NAME = 500
_PASSWORD = "a password opens it"
_XML_SUFFIXES = (".xml", ".rels")
# The types that the libraries take, and those with the same text: with macros, and templates.
_TYPE = b"application/vnd.openxmlformats-officedocument."
_SAME_TYPES = (
    (
        re.compile(rb"[\w./-]+[.-](word(?:processingml)?\.(?:document|template)[\w.]*)\.main\+xml"),
        _TYPE + b"wordprocessingml.document.main+xml",
    ),
    (
        re.compile(
            rb"[\w./-]+[.-]((?:powerpoint|presentationml)\.(?:slideshow|template)[\w.]*)\.main\+xml"
        ),
        _TYPE + b"presentationml.presentation.main+xml",
    ),
)
# The names that "Strict Open XML" has for what all programs write otherwise.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
_USUAL = rb"http://schemas.openxmlformats.org/\1/2006/\2"


@contextmanager
def open_package(source: Source) -> Generator[zipfile.ZipFile]:
    """Open a document that is a zip file.

    Raises:
        SkippedError: it is encrypted, no zip file, damaged, or unpacks to more than the settings
            allow.
    """
    refuse_encrypted_office(source)
    try:
        with _zip_file(source) as package:
            _check_size(package, source)
            yield package
    except (zipfile.BadZipFile, zlib_error, EOFError, NotImplementedError, KeyError) as error:
        raise SkippedError(Reason.DAMAGED, f"{error}".strip("'\"") or "no zip file") from error


def _zip_file(source: Source) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source.stream)
    except (OSError, ValueError, struct.error) as error:
        raise SkippedError(Reason.DAMAGED, "its list of contents is damaged") from error


def refuse_encrypted_office(source: Source) -> None:
    """Raise SkippedError if the source is an Office document that a password opens."""
    beginning = source.stream.read(len(_OLE))
    if beginning == _OLE and _ENCRYPTED_STREAM in source.stream.read(_OLE_BYTES):
        raise SkippedError(Reason.ENCRYPTED, _PASSWORD)
    source.stream.seek(0)


def refuse_encrypted_opendocument(package: zipfile.ZipFile) -> None:
    """Raise SkippedError if a password opens the document."""
    if "META-INF/manifest.xml" not in package.namelist():
        return
    if b"encryption-data" in package.read("META-INF/manifest.xml"):
        raise SkippedError(Reason.ENCRYPTED, _PASSWORD)


def text_parts(package: zipfile.ZipFile) -> io.BytesIO:
    """Copy an Office document without what is not text: its pictures, films and programs."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for entry in package.infolist():
            data = b""
            if entry.filename.endswith(_XML_SUFFIXES):
                data = _STRICT.sub(_USUAL, package.read(entry))
            if entry.filename == "[Content_Types].xml":
                for other, known in _SAME_TYPES:
                    data = other.sub(known, data)
            target.writestr(entry.filename, data)
    copy.seek(0)
    return copy


def office_properties(package: zipfile.ZipFile) -> tuple[str, dict[str, Any]]:
    """The title of an Office document, and its author and date as metadata."""
    return _properties(package, "docProps/core.xml", ("creator",), ("created", "modified"))


def opendocument_properties(package: zipfile.ZipFile) -> tuple[str, dict[str, Any]]:
    """The same of an OpenDocument."""
    return _properties(
        package, "meta.xml", ("initial-creator", "creator"), ("creation-date", "date")
    )


def properties_of(
    root: "_Element", authors: tuple[str, ...], dates: tuple[str, ...]
) -> tuple[str, dict[str, Any]]:
    """Title, author and date by the names of their elements, without their namespaces."""
    found: dict[str, str] = {}
    for element in root.iter("{*}*"):
        text = " ".join((element.text or "").split())
        if text:
            found.setdefault(str(element.tag).rpartition("}")[2].rpartition(":")[2], text)
    author = next((found[name] for name in authors if name in found), "")
    date = next((found[name] for name in dates if name in found), "")
    return found.get("title", "")[:_MAX_NAME], named_properties(author, date[:10])


def named_properties(author: str, date: str) -> dict[str, Any]:
    """Metadata of an author and a date ("2024-07-31"), without what is empty."""
    return {
        name: value for name, value in (("author", author[:_MAX_NAME]), ("date", date)) if value
    }


def _properties(
    package: zipfile.ZipFile, name: str, authors: tuple[str, ...], dates: tuple[str, ...]
) -> tuple[str, dict[str, Any]]:
    if name not in package.namelist():
        return "", {}
    try:
        root = parse_xml(package.read(name))
    except (zipfile.BadZipFile, zlib_error, EOFError):
        root = None  # the text may be whole
    return ("", {}) if root is None else properties_of(root, authors, dates)


def _check_size(package: zipfile.ZipFile, source: Source) -> None:
    """Refuse a bomb by what its entries declare; zipfile unpacks no more than that of any."""
    entries = package.infolist()
    settings = source.settings
    if len(entries) > settings.max_entries:
        raise SkippedError(
            Reason.TOO_LARGE, f"{len(entries)} entries, of at most {settings.max_entries}"
        )
    unpacked = sum(entry.file_size for entry in entries)
    bound = min(settings.max_unpacked, _FREE_BYTES + settings.max_ratio * source.size)
    if unpacked > bound:
        raise SkippedError(
            Reason.TOO_LARGE, f"unpacks to {unpacked >> 20} MB, of at most {bound >> 20} MB"
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise SkippedError(Reason.ENCRYPTED, _PASSWORD)
