"""OpenDocument texts and presentations by odfpy."""

import io
import zipfile
from typing import Any

import pytest
from odf import dc, draw, meta, office, presentation, style, table
from odf import text as odf
from odf.opendocument import OpenDocumentPresentation, OpenDocumentText

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError
from helpers.documents.one_file import blocks, read, text


def saved(document):
    file = io.BytesIO()
    document.write(file)
    return file.getvalue()


def written(content):
    """A file by hand, without declarations of namespaces."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("content.xml", content)
    return file.getvalue()


def test_sections_lists_and_tables_in_order():
    document: Any = OpenDocumentText()
    add = document.text.addElement
    add(odf.P(text="Before."))
    add(odf.H(outlinelevel=1, text="House"))
    add(odf.H(outlinelevel=2, text="Cellar"))
    mixed = odf.P(text="The ")
    mixed.addElement(odf.Span(text="boiler"))
    mixed.addElement(odf.S(c=2))
    mixed.addText("hums.")
    add(mixed)
    items = odf.List()
    item = odf.ListItem()
    item.addElement(odf.P(text="an item"))
    items.addElement(item)
    add(items)
    rows = table.Table()
    for values in (("Name", "Age"), ("Ann", "30")):
        row = table.TableRow()
        for value in values:
            cell = table.TableCell()
            cell.addElement(odf.P(text=value))
            row.addElement(cell)
        rows.addElement(row)
    add(rows)
    add(odf.P(text="After."))
    assert [(b.headings, b.text) for b in blocks("a.odt", saved(document))] == [
        ((), "Before."),
        (
            ("House", "Cellar"),
            "House\n\nCellar\n\nThe boiler  hums.\n\nan item\n\n"
            "Name; Age\nName: Ann; Age: 30\n\nAfter.",
        ),
    ]


def test_properties():
    document: Any = OpenDocumentText()
    document.text.addElement(odf.P(text="x"))
    document.meta.addElement(dc.Title(text="Boiler"))
    document.meta.addElement(meta.InitialCreator(text="Ann"))
    document.meta.addElement(meta.CreationDate(text="2024-07-31T10:00:00"))
    (block,) = blocks("a.odt", saved(document))
    assert (block.title, block.metadata) == ("Boiler", {"author": "Ann", "date": "2024-07-31"})


def test_what_is_deleted_or_said_about_the_text_is_left_out():
    document: Any = OpenDocumentText()
    changes = odf.TrackedChanges()
    region = odf.ChangedRegion(check_grammar=False)
    deletion = odf.Deletion()
    deletion.addElement(odf.P(text="deleted"))
    region.addElement(deletion)
    changes.addElement(region)
    document.text.addElement(changes)
    paragraph = odf.P(text="kept")
    note = office.Annotation()
    note.addElement(odf.P(text="remark"))
    paragraph.addElement(note)
    paragraph.addText(" and more")
    document.text.addElement(paragraph)
    assert text("a.odt", saved(document)) == "kept and more"


def test_slides_titles_and_notes():
    document: Any = OpenDocumentPresentation()
    layout = style.PageLayout(name="L")
    document.automaticstyles.addElement(layout)
    master = style.MasterPage(name="M", pagelayoutname=layout)
    document.masterstyles.addElement(master)
    for number, title in enumerate(("Boiler", "Garden")):
        page = draw.Page(masterpagename=master)
        for kind, words in (("title", title), ("outline", f"body {number}")):
            frame = draw.Frame()
            frame.setAttrNS("urn:oasis:names:tc:opendocument:xmlns:presentation:1.0", "class", kind)
            box = draw.TextBox()
            box.addElement(odf.P(text=words))
            frame.addElement(box)
            page.addElement(frame)
        notes = presentation.Notes()
        frame = draw.Frame()
        box = draw.TextBox()
        box.addElement(odf.P(text=f"say {number}"))
        frame.addElement(box)
        notes.addElement(frame)
        page.addElement(notes)
        document.presentation.addElement(page)
    assert [(b.place, b.headings, b.text) for b in blocks("a.odp", saved(document))] == [
        ({"slide": 1}, ("Boiler",), "Boiler\n\nbody 0"),
        ({"slide": 1}, ("Boiler", "Notes"), "Notes\n\nsay 0"),
        ({"slide": 2}, ("Garden",), "Garden\n\nbody 1"),
        ({"slide": 2}, ("Garden", "Notes"), "Notes\n\nsay 1"),
    ]


def test_a_file_without_namespaces_is_read():
    content = (
        "<office:document-content><text:p>a</text:p><text:p>b</text:p></office:document-content>"
    )
    assert text("a.odt", written(content)) == "a\n\nb"


def test_entities_are_not_expanded(tmp_path):
    (tmp_path / "secret").write_text("secret")
    laughs = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
    )
    secret = f'<!ENTITY s SYSTEM "{(tmp_path / "secret").as_uri()}">'
    content = f"<!DOCTYPE x [{laughs}{secret}]><x><p>one &a9; two &s;</p></x>"
    assert "ha" not in text("a.odt", written(content))
    assert "secret" not in text("a.odt", written(content))


def test_a_password():
    file = io.BytesIO(written("<x/>"))
    with zipfile.ZipFile(file, "a") as package:
        package.writestr("META-INF/manifest.xml", "<m:encryption-data/>")
    for suffix in ("odt", "ods"):
        with pytest.raises(SkippedError) as caught:
            read(f"a.{suffix}", file.getvalue())
        assert caught.value.reason is Reason.ENCRYPTED


@pytest.mark.parametrize("content", ["", "no xml", "\0\0"])
def test_damage(content):
    with pytest.raises(SkippedError) as caught:
        read("a.odt", written(content))
    assert caught.value.reason is Reason.DAMAGED


def test_one_xml_file():
    content = b"<office:document><office:body><text:p>flat</text:p></office:body></office:document>"
    assert text("a.fodt", content) == "flat"


def test_headers_and_footers_of_pages_are_read():
    document: Any = OpenDocumentText()
    layout = style.PageLayout(name="L")
    document.automaticstyles.addElement(layout)
    page: Any = style.MasterPage(name="Standard", pagelayoutname="L")
    header: Any = style.Header()
    header.addElement(odf.P(text="Lease of Mill Lane"))
    page.addElement(header)
    document.masterstyles.addElement(page)
    document.text.addElement(odf.P(text="The boiler."))
    assert text("a.odt", saved(document)) == "The boiler.\n\nHeader\n\nLease of Mill Lane"
