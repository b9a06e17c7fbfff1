"""PDF by reportlab: pages, properties, bookmarks, scans, locks and damage."""

import io

import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError
from helpers.documents.one_file import blocks, read

PICTURE = ImageReader(Image.new("RGB", (40, 40), "navy"))


def pdf(*pages, encrypt=None, finish=lambda canvas: None):
    """Each page is lines of text, or None: a picture."""
    file = io.BytesIO()
    canvas = Canvas(file, encrypt=encrypt, pageCompression=1)
    for page in pages:
        if page is None:
            canvas.drawImage(PICTURE, 50, 50, 500, 700)
        for number, line in enumerate(page or ()):
            canvas.drawString(50, 800 - 15 * number, line)
        canvas.showPage()
    finish(canvas)
    canvas.save()
    return file.getvalue()


def test_each_page_is_a_block_with_its_number():
    found = blocks("a.pdf", pdf(["The boiler was serviced", "by Mr Huber."], [], ["Page three."]))
    assert [(b.place, b.text) for b in found] == [
        ({"page": 1}, "The boiler was serviced\nby Mr Huber."),
        ({"page": 3}, "Page three."),
    ]


def test_title_author_date_and_count_of_pages():
    def finish(canvas):
        canvas.setTitle("Microsoft Word - Boiler")
        canvas.setAuthor("Ann Grün")

    (block,) = blocks("a.pdf", pdf(["text"], finish=finish))
    assert block.title == "Boiler"
    assert block.metadata["author"] == "Ann Grün"
    assert block.metadata["pages"] == 1
    assert len(block.metadata["date"]) == len("2024-07-31")


def test_what_programs_write_for_want_of_a_name_is_none():
    (block,) = blocks("a.pdf", pdf(["text"]))
    assert block.title == ""
    assert "author" not in block.metadata


def test_bookmarks_are_headings():
    file = io.BytesIO()
    canvas = Canvas(file)
    for number, (level, name) in enumerate([(0, "House"), (1, "Cellar"), (0, "Garden")]):
        canvas.bookmarkPage(str(number))
        canvas.addOutlineEntry(name, str(number), level)
        canvas.drawString(50, 700, name)
        canvas.showPage()
    canvas.drawString(50, 700, "more")
    canvas.save()
    assert [b.headings for b in blocks("a.pdf", file.getvalue())] == [
        ("House",),
        ("House", "Cellar"),
        ("Garden",),
        ("Garden",),
    ]


def test_a_scanned_page_is_a_remark_in_its_place():
    found = read("a.pdf", pdf(None, ["text"], None))
    assert [item if isinstance(item, Remark) else item.text for item in found] == [
        Remark(reason=Reason.SCANNED, where="page 1"),
        "text",
        Remark(reason=Reason.SCANNED, where="page 3"),
    ]


def test_a_file_of_scans_is_skipped_as_one():
    with pytest.raises(SkippedError, match="2 of 3 pages are pictures") as caught:
        read("a.pdf", pdf(None, [], None))
    assert caught.value.reason is Reason.SCANNED


def test_what_is_written_into_a_form_is_read():
    def finish(canvas):
        canvas.drawString(50, 700, "Name:")
        canvas.acroForm.textfield(value="Mr Huber", x=100, y=690, width=200, height=20)

    (block,) = blocks("a.pdf", pdf(finish=finish))
    assert block.text == "Name:\nMr Huber"


def test_an_empty_file_has_no_blocks():
    assert read("a.pdf", pdf([])) == []


def test_a_page_with_text_on_a_picture_is_no_scan():
    def finish(canvas):
        canvas.drawImage(PICTURE, 50, 50, 50, 70)
        canvas.drawString(50, 700, "caption")

    assert [b.text for b in read("a.pdf", pdf(finish=finish))] == ["caption"]


def test_a_password_is_needed_or_not():
    locked = pdf(["text"], encrypt=StandardEncryption("user", "owner"))
    with pytest.raises(SkippedError) as caught:
        read("a.pdf", locked)
    assert caught.value.reason is Reason.ENCRYPTED
    assert [
        b.text for b in blocks("a.pdf", pdf(["x"], encrypt=StandardEncryption("", "owner")))
    ] == ["x"]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4\n", b"\0" * 2000, pdf(["x"])[:300]])
def test_damage(data):
    with pytest.raises(SkippedError) as caught:
        read("a.pdf", data)
    assert caught.value.reason is Reason.DAMAGED


def test_what_is_left_of_a_file_without_its_end_is_read():
    data = pdf(*[[f"page number {n}"] for n in range(30)])
    found = read("a.pdf", data[: data.rindex(b"xref")])
    assert sum(isinstance(item, Block) for item in found) == 30


LOOP = b"""%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R/Outlines 4 0 R>> endobj
2 0 obj <</Type/Pages/Count 1000000/Kids[2 0 R 3 0 R 2 0 R]>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/Contents 3 0 R>> endobj
4 0 obj <</First 5 0 R/Last 5 0 R/Count 1>> endobj
5 0 obj <</Title(a)/Next 5 0 R/First 5 0 R/Dest[3 0 R/Fit]>> endobj
trailer <</Root 1 0 R/Prev 0>>
"""


def test_pages_and_bookmarks_in_circles_end():
    with pytest.raises(SkippedError):
        read("a.pdf", LOOP)
