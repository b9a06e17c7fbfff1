"""Books by ebooklib, and by hand."""

import io
import zipfile

import pytest
from ebooklib import epub

from edgeembed.ingest.readers.base.protocol import Reason, Remark, SkippedError
from helpers.documents.one_file import blocks, read, text


def book(*chapters, contents=True):
    """Chapters are titles and HTML, in the order of the spine."""
    new = epub.EpubBook()
    new.set_identifier("id")
    new.set_title("The House")
    new.set_language("en")
    new.add_author("Ann Grün")
    new.add_metadata("DC", "date", "2024-07-31")
    items = []
    for number, (title, html) in enumerate(chapters):
        # Names that are not in the order of the spine.
        item = epub.EpubHtml(title=title, file_name=f"c{9 - number}.xhtml")
        item.content = f"<html><body>{html}</body></html>"
        new.add_item(item)
        items.append(item)
    new.toc = items if contents else []
    new.add_item(epub.EpubNcx())
    new.add_item(epub.EpubNav())
    new.spine = ["nav", *items]
    file = io.BytesIO()
    epub.write_epub(file, new)
    return file.getvalue()


def by_hand(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        for name, content in members.items():
            package.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


def test_chapters_in_reading_order_with_their_headings():
    data = book(
        ("Cellar", "<h1>Cellar</h1><p>The boiler.</p><h2>Wine</h2><p>Red.</p>"),
        ("Garden", "<p>The apple tree.</p>"),
    )
    assert [(b.place, b.headings, b.text) for b in blocks("a.epub", data)] == [
        ({"chapter": 1}, ("Cellar",), "Cellar\n\nThe boiler."),
        ({"chapter": 1}, ("Cellar", "Wine"), "Wine\n\nRed."),
        ({"chapter": 2}, ("Garden",), "Garden\n\nThe apple tree."),
    ]


def test_title_author_and_date():
    block, *_ = blocks("a.epub", book(("A", "<p>x</p>")))
    assert block.title == "The House"
    assert block.metadata == {"author": "Ann Grün", "date": "2024-07-31"}


def test_entities_of_html_and_closed_elements():
    data = by_hand(
        a_xhtml="<html><head><title/></head><body><script src='x'/>Gr&uuml;n</body></html>"
    )
    assert text("a.epub", data) == "Grün"


def test_a_book_without_a_package_file_is_read_by_name():
    data = by_hand(b_xhtml="<p>second</p>", a_xhtml="<p>first</p>")
    assert text("a.epub", data) == "first\n\nsecond"


ENCRYPTION = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
    'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>'
    '<enc:CipherReference URI="{}"/></enc:CipherData></enc:EncryptedData></encryption>'
)


def test_a_protected_book():
    data = by_hand(**{"META-INF__encryption_xml": ENCRYPTION.format("a.xhtml"), "a_xhtml": "\0"})
    with pytest.raises(SkippedError) as caught:
        read("a.epub", data)
    assert caught.value.reason is Reason.ENCRYPTED


def test_protected_fonts_do_not_matter_and_protected_chapters_are_named():
    fonts = {"META-INF__encryption_xml": ENCRYPTION.format("a.otf"), "a_xhtml": "<p>x</p>"}
    assert text("a.epub", by_hand(**fonts)) == "x"
    one = {"META-INF__encryption_xml": ENCRYPTION.format("a.xhtml"), "a_xhtml": "", "b_xhtml": "y"}
    remark, block = read("a.epub", by_hand(**one))
    assert remark == Remark(reason=Reason.ENCRYPTED, where="chapter 1")
    assert block.text == "y"


@pytest.mark.parametrize("data", [b"", b"PK", by_hand(a_txt="x"), book(("A", "<p>x</p>"))[:700]])
def test_damage(data):
    with pytest.raises(SkippedError) as caught:
        read("a.epub", data)
    assert caught.value.reason is Reason.DAMAGED
