"""Word documents by python-docx: order, headings, tables, and what hides in other places."""

import io
import re
import zipfile

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from lxml.etree import XMLSyntaxError

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError
from helpers.documents.one_file import blocks, read, text

W = nsdecls("w")


def saved(document):
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def changed(data, name, change):
    """The package with one member changed, or added to."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, change(content) if entry.filename == name else content)
    return file.getvalue()


def body(*elements):
    document = docx.Document()
    for element in elements:
        document.element.body.insert(-1, parse_xml(element))
    return saved(document)


def test_sections_stand_under_their_headings_in_order():
    document = docx.Document()
    document.add_paragraph("Before all.")
    document.add_heading("House", 1)
    document.add_heading("Cellar", 2)
    document.add_paragraph("The boiler.")
    document.add_paragraph("The wine.")
    document.add_heading("Garden", 1)
    document.add_heading("Empty", 1)
    assert [(b.headings, b.text) for b in blocks("a.docx", saved(document))] == [
        ((), "Before all."),
        (("House", "Cellar"), "House\n\nCellar\n\nThe boiler.\n\nThe wine."),
        (("Garden",), "Garden"),
        (("Empty",), "Empty"),
    ]


def test_properties():
    document = docx.Document()
    document.add_paragraph("x")
    document.core_properties.title = "Boiler"
    document.core_properties.author = "Ann Grün"
    (block,) = blocks("a.docx", saved(document))
    assert block.title == "Boiler"
    assert block.metadata == {"author": "Ann Grün", "date": "2013-12-23"}


def test_a_title_in_the_text_is_the_title_when_there_is_no_other():
    document = docx.Document()
    document.core_properties.title = ""
    document.add_heading("Boiler", 0)
    document.add_heading("Service", 1)
    document.add_paragraph("x")
    (block,) = blocks("a.docx", saved(document))
    assert (block.title, block.headings) == ("Boiler", ("Boiler", "Service"))


def test_rows_of_tables_have_the_names_of_their_columns_in_place():
    document = docx.Document()
    document.add_paragraph("before")
    table = document.add_table(rows=0, cols=2)
    for row in (("Name", "Age"), ("Ann", "30"), ("Bob", "")):
        for cell, value in zip(table.add_row().cells, row, strict=True):
            cell.text = value
    document.add_paragraph("after")
    assert text("a.docx", saved(document)) == (
        "before\n\nName; Age\nName: Ann; Age: 30\nName: Bob\n\nafter"
    )


def test_a_table_of_one_column_is_a_frame():
    document = docx.Document()
    cell = document.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "in a frame"
    cell.add_paragraph("Heading in it", "Heading 1")
    assert blocks("a.docx", saved(document))[-1].headings == ("Heading in it",)


def test_text_boxes_controls_and_insertions_are_read_and_deletions_are_not():
    data = body(
        f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>control</w:t></w:r></w:p></w:sdtContent></w:sdt>",
        f"<w:p {W}><w:ins><w:r><w:t>inserted</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:r><w:tab/><w:t>tab</w:t></w:r></w:p>",
        f"<w:p {W}><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p>"
        "</w:txbxContent></w:pict></w:r></w:p>",
    )
    assert text("a.docx", data) == "control\n\ninserted\ttab\n\nin a box"


def test_comments_come_last():
    document = docx.Document()
    run = document.add_paragraph("text").add_run("x")
    document.add_comment(run, text="is it so?", author="Ann")
    assert text("a.docx", saved(document)) == "textx\n\nComments\n\nis it so?"


def test_a_document_with_macros_is_read():
    data = changed(
        body(f"<w:p {W}><w:r><w:t>x</w:t></w:r></w:p>"),
        "[Content_Types].xml",
        lambda content: content.replace(
            b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
            b"application/vnd.ms-word.document.macroEnabled.main+xml",
        ),
    )
    assert text("a.docm", data) == "x"


def entities(declared):
    """A document whose text is an entity."""
    data = body(f"<w:p {W}><w:r><w:t>before ENTITY</w:t></w:r></w:p>")

    def change(content):
        head, _, rest = content.partition(b"?>")
        doctype = b"<!DOCTYPE x [" + declared + b"]>"
        return head + b"?>" + doctype + rest.replace(b"ENTITY", b"&e;")

    return changed(data, "word/document.xml", change)


def test_external_entities_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("secret")
    uri = (tmp_path / "secret").as_uri().encode()
    assert text("a.docx", entities(b'<!ENTITY e SYSTEM "%s">' % uri)) == "before"


def test_entities_of_entities_are_not_expanded():
    laughs = b'<!ENTITY a0 "ha">' + b"".join(
        b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
    )
    with pytest.raises(XMLSyntaxError, match="amplification"):
        text("a.docx", entities(laughs + b'<!ENTITY e "&a9;">'))


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    def bomb(content):
        return content + b" " * (40 << 20)

    data = changed(saved(docx.Document()), "word/document.xml", bomb)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", 8) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    with pytest.raises(SkippedError, match="unpacks to 40 MB") as caught:
        read("a.docx", packed.getvalue())
    assert caught.value.reason is Reason.TOO_LARGE


def test_too_many_entries():
    with pytest.raises(SkippedError, match="entries, of at most 3"):
        read("a.docx", saved(docx.Document()), max_entries=3)


def test_a_password():
    name = "EncryptedPackage".encode("utf-16-le")
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + name + bytes(400)
    for suffix in ("docx", "pptx", "xlsx"):
        with pytest.raises(SkippedError) as caught:
            read(f"a.{suffix}", data)
        assert caught.value.reason is Reason.ENCRYPTED


@pytest.mark.parametrize("cut", [0, 10, 1000, -30])
def test_damage(cut):
    with pytest.raises(SkippedError) as caught:
        read("a.docx", saved(docx.Document())[:cut])
    assert caught.value.reason is Reason.DAMAGED


def test_headers_and_footers_are_read_once_and_page_numbers_are_not():
    document = docx.Document()
    document.add_paragraph("The boiler.")
    first = document.sections[0]
    first.different_first_page_header_footer = True
    first.header.paragraphs[0].text = "Lease of Mill Lane"
    first.first_page_header.paragraphs[0].text = "Lease of Mill Lane"
    first.footer.paragraphs[0].text = "3"
    second = document.add_section()
    second.footer.is_linked_to_previous = False
    second.footer.paragraphs[0].text = "Contract 4711"
    assert [(b.headings, b.text) for b in blocks("a.docx", saved(document))] == [
        ((), "The boiler."),
        (("Header",), "Header\n\nLease of Mill Lane"),
        (("Footer",), "Footer\n\nContract 4711"),
    ]


def test_strict_open_xml_is_read_like_any_other():
    document = docx.Document()
    document.add_heading("Boiler", 1)
    document.add_paragraph("Huber serviced it.")
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(document))) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            usual = re.compile(rb"http://schemas\.openxmlformats\.org/(\w+)/2006/(\w+)")
            strict = usual.sub(rb"http://purl.oclc.org/ooxml/\1/\2", old.read(entry))
            is_text = entry.filename in ("word/document.xml", "_rels/.rels")
            new.writestr(entry.filename, strict if is_text else old.read(entry))
    (block,) = blocks("a.docx", file.getvalue())
    assert (block.text, block.headings) == ("Boiler\n\nHuber serviced it.", ("Boiler",))
