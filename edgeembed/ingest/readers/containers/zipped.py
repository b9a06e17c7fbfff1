"""Zip archives, entry by entry."""

import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace

from edgeembed.ingest.readers.base.parts import part_name
from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.containers.unpacking import Within, chunks_of

# What a Mac puts beside every file.
_OF_TOOLS = ("__MACOSX/", ".DS_Store")
# An old suffix, or none in a mail: documents that are zip files, by what only they have in them.
_DOCUMENTS = {
    "word/document.xml": ".docx",
    "ppt/presentation.xml": ".pptx",
    "xl/workbook.xml": ".xlsx",
    "META-INF/container.xml": ".epub",
}


class ZipReader:
    """Reads the files in a zip archive by their own readers."""

    name = "zip"
    suffixes: frozenset[str] = frozenset({".zip"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        within = Within(source)
        try:
            archive = zipfile.ZipFile(source.stream)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise SkippedError(Reason.DAMAGED, str(error)) from error
        with archive:
            if suffix := _document_in(archive):
                yield from _document(source, suffix)
                return
            for entry in archive.infolist():
                if entry.is_dir() or entry.filename.startswith(_OF_TOOLS[0]):
                    continue
                if entry.filename.endswith(_OF_TOOLS[1]):
                    continue
                if entry.flag_bits & 1:
                    where = part_name(entry.filename)
                    yield Remark(reason=Reason.ENCRYPTED, where=where, detail="a password opens it")
                elif stat.S_ISLNK(entry.external_attr >> 16):
                    yield Remark(reason=Reason.LINK, where=part_name(entry.filename))
                else:
                    yield from within.entry(entry.filename, _content(archive, entry))
                if within.budget.spent:
                    return


def _document_in(archive: zipfile.ZipFile) -> str:
    """The suffix of the document that this archive is, whatever it is called; "": it is none.

    Raises:
        SkippedError: it is a document that no reader reads.
    """
    names = frozenset(archive.namelist())
    if "Index/Document.iwa" in names or "Index.zip" in names:
        detail = "a document of Pages, Numbers or Keynote: save it as PDF"
        raise SkippedError(Reason.NO_READER, detail)
    return next((suffix for name, suffix in _DOCUMENTS.items() if name in names), "")


def _document(source: Source, suffix: str) -> Iterator[Block | Remark]:
    name = f"{source.name}{suffix}"
    source.stream.seek(0)
    for found in source.read_inner(replace(source, name=name)):
        if isinstance(found, Remark) and found.where == name:
            raise SkippedError(found.reason, found.detail)
        yield found


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as stream:
        yield from chunks_of(stream)
