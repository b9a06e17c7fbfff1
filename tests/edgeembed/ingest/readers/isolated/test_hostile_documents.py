"""Documents made to harm, and ones that broke, read as strangers' files are."""

import io
import random
import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from ebooklib import epub
from odf import text as odf
from odf.opendocument import OpenDocumentText
from reportlab.pdfgen.canvas import Canvas

from edgeembed.ingest.readers.base.protocol import ReadingSettings, Reason, SkippedError
from edgeembed.ingest.readers.isolated.process import ReadingLimits
from edgeembed.ingest.readers.isolated.reading import IsolatedReading
from helpers.documents.one_file import reader_name

WORDS = "The boiler was serviced by Mr Huber."


@pytest.fixture(scope="module")
def reading():
    with IsolatedReading(ReadingLimits(memory=512 << 20, seconds=20)) as reading:
        yield reading


@pytest.fixture
def read(reading, tmp_path):
    """Read a file: its blocks, and why the rest of it is not read."""

    def read(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        found = []
        try:
            found.extend(reading.read(path, reader_name(name), ReadingSettings()))
        except SkippedError as error:
            return found, error
        return found, None

    return read


def packed(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members.items():
            package.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


def saved(save):
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _pdf():
    canvas = Canvas("")
    canvas.drawString(50, 700, WORDS)
    return canvas.getpdfdata()


def _docx():
    document = docx.Document()
    document.add_paragraph(WORDS)
    return saved(document.save)


def _pptx():
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = WORDS
    return saved(presentation.save)


def _xlsx():
    book = openpyxl.Workbook()
    book.worksheets[0].append([WORDS])
    return saved(book.save)


def _odt():
    document = OpenDocumentText()
    getattr(document, "text").addElement(odf.P(text=WORDS))  # noqa: B009
    return saved(document.write)


def _epub():
    book = epub.EpubBook()
    book.set_identifier("id")
    book.set_title("t")
    item = epub.EpubHtml(title="c", file_name="c.xhtml")
    item.content = f"<html><body><p>{WORDS}</p></body></html>"
    book.add_item(item)
    book.spine = [item]
    book.toc = [item]
    book.add_item(epub.EpubNcx())
    return saved(lambda file: epub.write_epub(file, book))


SOUND = {
    "a.pdf": _pdf(),
    "a.docx": _docx(),
    "a.pptx": _pptx(),
    "a.xlsx": _xlsx(),
    "a.odt": _odt(),
    "a.epub": _epub(),
    "a.rtf": b"{\\rtf1\\ansi " + WORDS.encode() + b"}",
    "a.html": b"<html><body><p>" + WORDS.encode() + b"</p></body></html>",
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_documents_are_read(read, name):
    (block,), error = read(name, SOUND[name])
    assert WORDS in block.text
    assert error is None


def _damaged(data, source):
    """Cut off, with bytes changed, or with a part left out."""
    match source.randrange(3):
        case 0:
            return data[: source.randrange(len(data))]
        case 1:
            changed = bytearray(data)
            for _ in range(source.randint(1, 30)):
                changed[source.randrange(len(data))] = source.randrange(256)
            return bytes(changed)
        case _:
            start = source.randrange(len(data))
            return data[:start] + data[start + source.randrange(200) :]


@pytest.mark.parametrize("name", SOUND)
def test_broken_documents_say_why_in_one_line_or_are_read(read, reading, name):
    source = random.Random(name)
    for _ in range(25):
        _, error = read(name, _damaged(SOUND[name], source))
        assert error is None or "\n" not in str(error)
        assert error is None or error.reason in (
            Reason.DAMAGED,
            Reason.ENCRYPTED,
            Reason.NOT_TEXT,
            Reason.TOO_LARGE,  # by a size that a changed byte declares
        )


LAUGHS = '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
)


def _with_entity(data, member, mark, declared):
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            content = old.read(entry).decode("utf-8", "surrogateescape")
            if entry.filename.endswith(member):
                head, _, rest = content.partition("?>")
                content = f"{head}?><!DOCTYPE x [{declared}]>{rest.replace(mark, '&e;')}"
            new.writestr(entry.filename, content.encode("utf-8", "surrogateescape"))
    return file.getvalue()


MEMBERS = {
    "a.docx": "word/document.xml",
    "a.pptx": "slides/slide1.xml",
    "a.xlsx": "sharedStrings.xml",
    "a.odt": "content.xml",
    "a.epub": "c.xhtml",
}


@pytest.mark.parametrize("name", MEMBERS)
def test_entities_are_neither_fetched_nor_expanded(read, tmp_path, name):
    (tmp_path / "secret").write_text("secret")
    declared = {
        "secret": f'<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">',
        "haha": LAUGHS + '<!ENTITY e "&a9;">',
    }
    for unwanted, entity in declared.items():
        found, _ = read(name, _with_entity(SOUND[name], MEMBERS[name], "boiler", entity))
        assert not [block for block in found if unwanted in getattr(block, "text", "")]


BOMB = packed(word__document_xml=b" " * (64 << 20), content_xml="<x/>", a_xhtml="x")


@pytest.mark.parametrize("name", [*MEMBERS, "a.ods"])
def test_zip_bombs_are_refused(read, name):
    found, error = read(name, BOMB)
    assert found == []
    assert error.reason is Reason.TOO_LARGE
    assert "unpacks to 64 MB" in error.detail


def test_a_zip_that_lies_about_its_sizes(read):
    data = bytearray(packed(content_xml="<x>" + "<p>words</p>" * 100_000 + "</x>"))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(mark) + offset
        data[start : start + 4] = (1000).to_bytes(4, "little")
    found, error = read("a.odt", bytes(data))
    assert sum(len(block.text) for block in found) < 1000
    assert error is None or error.reason is Reason.DAMAGED


def test_a_sheet_with_cells_at_both_ends_of_the_earth(read):
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet["A1"] = sheet["XFD1048576"] = "x"
    found, error = read("a.xlsx", saved(book.save))
    assert found == []
    assert error.reason is Reason.TOO_LARGE


def test_tables_within_tables(read):
    rows = "<w:tbl><w:tr><w:tc>" * 60 + "<w:p><w:r><w:t>deep</w:t></w:r></w:p>"
    rows += "</w:tc></w:tr></w:tbl>" * 60
    document = _docx()
    with zipfile.ZipFile(io.BytesIO(document)) as old:
        body = old.read("word/document.xml").decode().replace("<w:sectPr", rows + "<w:sectPr", 1)
        names = {name: old.read(name) for name in old.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as new:
        for name, content in {**names, "word/document.xml": body}.items():
            new.writestr(name, content)
    (block,), error = read("a.docx", file.getvalue())
    assert "deep" in block.text
    assert error is None


@pytest.mark.slow
def test_a_long_page_in_one_line_is_read_within_bounds(read, reading):
    data = b"<html><body>" + b"<p>" + b"word " * (2 << 20) + b"</p>"
    found, error = read("a.html", data)
    assert error is None
    assert sum(block.text.count("word") for block in found) == 2 << 20
    peak = Path(f"/proc/{reading.pid}/status")
    if peak.exists():
        (line,) = (line for line in peak.read_text().splitlines() if line.startswith("VmHWM"))
        assert int(line.split()[1]) < 200 << 10
