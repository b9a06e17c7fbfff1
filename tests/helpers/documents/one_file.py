"""A reader asked for one file, in this process."""

import io

from edgeembed.ingest.readers.base.protocol import Block, ReadingSettings, Remark, Source

_NAMES = {
    "pdf": ("pdf", "PdfReader"),
    "docx": ("word", "WordReader"),
    "docm": ("word", "WordReader"),
    "pptx": ("slides", "SlidesReader"),
    "ppsx": ("slides", "SlidesReader"),
    "odt": ("opendocument", "OpenDocumentReader"),
    "fodt": ("opendocument", "OpenDocumentReader"),
    "odp": ("opendocument", "OpenDocumentReader"),
    "rtf": ("rich_text", "RichTextReader"),
    "epub": ("ebook", "EbookReader"),
    "html": ("web_page", "WebPageReader"),
}


def reader_name(name):
    """The dotted name of the reader of a file."""
    module, reader = _NAMES.get(name.rpartition(".")[2], ("sheets", "SheetsReader"))
    return f"edgeembed.ingest.readers.documents.{module}:{reader}"


def read(name, data, **settings):
    """All that the reader of a file's suffix gives for these bytes."""
    import importlib

    module, _, reader = reader_name(name).partition(":")
    source = Source(
        name=name,
        stream=io.BytesIO(data),
        size=len(data),
        settings=ReadingSettings(**settings),
        read_inner=lambda _: iter(()),
    )
    return list(getattr(importlib.import_module(module), reader)().read(source))


def blocks(name, data):
    """The blocks of a file that has no remarks."""
    found = read(name, data)
    assert not [item for item in found if isinstance(item, Remark)]
    return [item for item in found if isinstance(item, Block)]


def text(name, data):
    """The text of a file, a paragraph for each block."""
    return "\n\n".join(block.text for block in blocks(name, data))
