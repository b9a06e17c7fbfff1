"""Which reader reads which file, and what is said of files that none reads."""

import importlib
import io
import zipfile

import docx
import pytest

from edgeembed.ingest.readers import registry
from edgeembed.ingest.readers.base.protocol import Block, Reason, SkippedError
from edgeembed.ingest.readers.kinds import KINDS
from edgeembed.ingest.readers.registry import reader_of, reader_stamp, register_reader
from edgeembed_runtime.errors import InputError, MissingExtraError
from helpers.readers.reading import read_bytes


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_own", {})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_what_its_reader_says(kind):
    reader = getattr(importlib.import_module(kind.module), kind.reader)()
    assert (reader.name, reader.suffixes) == (kind.name, kind.suffixes)
    assert reader.version >= 1
    assert isinstance(reader.trusted, bool)


@pytest.mark.parametrize(
    ("name", "beginning", "kind"),
    [
        ("a.TXT", b"text", "text"),
        ("a.py", b"import os", "source code"),
        ("Makefile", b"all:", "text"),
        ("a.unknown", b"text", "text"),
        ("a.md", b"# A", "Markdown"),
        ("a.pdf", b"%PDF-1.4", "PDF"),
        ("download", b"%PDF-1.4", "PDF"),
        ("invoice.txt", b"%PDF-1.4", "PDF"),
        ("a.docx", b"PK\x03\x04", "Word"),
        ("a.epub", b"PK\x03\x04", "EPUB"),
        ("a.jar", b"PK\x03\x04", "zip"),
        ("a.tar.gz", b"\x1f\x8b\x08", "packed file"),
        ("a.docx", b"\1 no zip", "Word"),
        ("Sent", b"From ann@x Mon Jan  1 10:00:00 2024\nSubject: x\n", "mailbox"),
        ("a.txt", b"From here to 10:00:00 there\n", "text"),
    ],
)
def test_the_suffix_then_the_first_bytes_choose_the_reader(name, beginning, kind):
    assert reader_of(name, beginning).name == kind


@pytest.mark.parametrize(
    ("name", "beginning", "reason", "detail"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n", Reason.NOT_TEXT, "picture: index it with an image bundle"),
        ("a.txt", b"\xff\xd8\xff\xe0", Reason.NOT_TEXT, "picture: index it with an image bundle"),
        ("a.heic", b"\0\0\0\x18ftypheic", Reason.NOT_TEXT, "picture: index"),
        ("a.dng", b"II*\0", Reason.NOT_TEXT, "picture: index"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n", Reason.NOT_TEXT, "picture: index"),
        ("a.svg", b"<svg>", Reason.NOT_TEXT, "drawing"),
        ("a.mp3", b"ID3\x04", Reason.NOT_TEXT, "sound"),
        ("a", b"\0\0\0\x20ftypisom", Reason.NOT_TEXT, "film"),
        ("a", b"\x7fELF", Reason.NOT_TEXT, "program"),
        ("a.db", b"SQLite format 3\0", Reason.NOT_TEXT, "database"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Reason.NO_READER, "save it as .docx"),
    ],
)
def test_what_no_reader_reads_is_called_what_it_is(name, beginning, reason, detail):
    with pytest.raises(SkippedError) as caught:
        reader_of(name, beginning)
    assert caught.value.reason == reason
    assert detail in caught.value.detail


def test_a_library_that_is_missing_is_named_with_how_to_get_it(tmp_path, monkeypatch):
    def read(self, source, /):
        raise MissingExtraError.for_extra("Markdown", "documents")
        yield

    monkeypatch.setattr("edgeembed.ingest.readers.plain.markdown.MarkdownReader.read", read)
    with pytest.raises(SkippedError) as caught:
        read_bytes(tmp_path, "a.md", "text")
    assert caught.value.reason == Reason.NO_READER
    assert caught.value.detail == "Markdown: pip install 'edgeembed[documents]'"


class Chords:
    """Reads songs."""

    name = "songs"
    suffixes = frozenset({".cho", ".md"})
    version = 3
    trusted = True

    def read(self, source, /):
        for line in source.stream:
            yield Block(text=line.decode())


def test_a_reader_of_ones_own_is_asked_first(tmp_path):
    assert reader_stamp("a.md") == "Markdown 1"
    register_reader(Chords())
    assert [block.text for block in read_bytes(tmp_path, "a.md", "x\ny")[0]] == ["x\n", "y"]
    assert reader_stamp("a.md") == "songs 3"
    assert reader_stamp("a.txt") == "text 1"


def test_what_a_reader_of_ones_own_raises_costs_its_file(tmp_path):
    class Breaks(Chords):
        def read(self, source, /):
            yield Block(text="before")
            raise KeyError("x")

    register_reader(Breaks())
    found = registry.read_file(tmp_path / "a.cho", registry.ReadingSettings())
    (tmp_path / "a.cho").write_text("x")
    assert next(found) == Block(text="before")
    with pytest.raises(SkippedError, match="damaged: KeyError: 'x'"):
        next(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name: expected str, got ''"),
        ({"name": "PDF"}, "name: expected one that is not taken, got 'PDF'"),
        ({"suffixes": [".x"]}, "suffixes: expected frozenset"),
        ({"suffixes": frozenset({"x"})}, "suffixes: expected '.name' in lower case, got 'x'"),
        ({"suffixes": frozenset({".X"})}, "suffixes: expected '.name' in lower case, got '.X'"),
        ({"version": "1"}, "version: expected int"),
        ({"trusted": None}, "trusted: expected bool"),
        ({"read": None}, "read: expected a method"),
    ],
)
def test_a_reader_that_cannot_work_is_refused(change, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        register_reader(type("Changed", (Chords,), change)())


def test_two_readers_of_one_suffix_are_refused():
    register_reader(Chords())
    with pytest.raises(InputError, match="taken, got 'songs'"):
        register_reader(Chords())
    with pytest.raises(InputError, match=r"suffixes: \.cho is read by 'songs' already"):
        register_reader(type("Other", (Chords,), {"name": "other"})())


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.pdf", b"The boiler.", "The boiler."),
        ("a.docx", b"<html><body><p>The boiler.</p></body></html>", "The boiler."),
        ("a.rtf", b"The boiler.", "The boiler."),
        ("a.mht", b"Subject: x\nContent-Type: text/html\n\n<p>The boiler.</p>", "The boiler."),
    ],
)
def test_a_wrong_name_does_not_hide_a_text(tmp_path, name, data, text):
    (block,), remarks = read_bytes(tmp_path, name, data)
    assert (block.text, remarks) == (text, [])


@pytest.mark.parametrize("name", ["lease.doc", "lease", "lease.zip"])
def test_a_document_that_is_a_zip_file_is_no_archive_whatever_its_name(tmp_path, name):
    document = docx.Document()
    document.add_paragraph("The boiler.")
    file = io.BytesIO()
    document.save(file)
    (block,), remarks = read_bytes(tmp_path, name, file.getvalue())
    assert (block.text, block.part, remarks) == ("The boiler.", "", [])


def test_a_document_of_iwork_is_said_to_be_one(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("Index/Document.iwa", b"\0")
    with pytest.raises(SkippedError, match="save it as PDF"):
        read_bytes(tmp_path, "mac.pages", file.getvalue())
