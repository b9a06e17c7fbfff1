"""Presentations by python-pptx: slides, notes, tables, groups."""

import io

import pptx
from pptx.util import Inches

from helpers.documents.one_file import blocks, read

PLACE = (Inches(1), Inches(1), Inches(4), Inches(2))


def saved(presentation):
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def slide(presentation, title, *texts):
    new = presentation.slides.add_slide(presentation.slide_layouts[5])
    if title:
        new.shapes.title.text = title
    for text in texts:
        new.shapes.add_textbox(*PLACE).text_frame.text = text
    return new


def test_slides_have_their_numbers_titles_and_notes():
    presentation = pptx.Presentation()
    slide(presentation, "Boiler", "Serviced in March\nby Mr Huber", "A second box")
    second = slide(presentation, "", "Without a title")
    second.notes_slide.notes_text_frame.text = "Say thanks"
    assert [(b.place, b.headings, b.text) for b in blocks("a.pptx", saved(presentation))] == [
        (
            {"slide": 1},
            ("Boiler",),
            "Boiler\n\nServiced in March\nby Mr Huber\n\nA second box",
        ),
        ({"slide": 2}, (), "Without a title"),
        ({"slide": 2}, ("Notes",), "Notes\n\nSay thanks"),
    ]


def test_properties():
    presentation = pptx.Presentation()
    slide(presentation, "x")
    presentation.core_properties.title = "Heating"
    presentation.core_properties.author = "Ann"
    (block,) = blocks("a.pptx", saved(presentation))
    assert block.title == "Heating"
    assert (block.metadata["author"], block.metadata["slides"]) == ("Ann", 1)


def test_tables_and_groups_are_read():
    presentation = pptx.Presentation()
    new = slide(presentation, "T")
    table = new.shapes.add_table(2, 2, *PLACE).table
    for row, values in enumerate((("Name", "Age"), ("Ann", "30"))):
        for column, value in enumerate(values):
            table.cell(row, column).text = value
    new.shapes.add_group_shape().shapes.add_textbox(*PLACE).text_frame.text = "in a group"
    (block,) = blocks("a.pptx", saved(presentation))
    assert block.text == "T\n\nName; Age\nName: Ann; Age: 30\n\nin a group"


def test_a_show_is_read():
    presentation = pptx.Presentation()
    slide(presentation, "x")
    part = presentation.part
    part._content_type = part.content_type.replace("presentation.main", "slideshow.main")
    assert [b.text for b in blocks("a.ppsx", saved(presentation))] == ["x"]


def test_an_empty_presentation():
    assert read("a.pptx", saved(pptx.Presentation())) == []
