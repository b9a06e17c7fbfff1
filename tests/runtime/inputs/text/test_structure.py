"""The structure that is read from plain text, Markdown and reStructuredText."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.inputs.text.structure import structure_of

lines = st.sampled_from(
    [
        "# a",
        "## b",
        "text",
        "====",
        "----",
        "",
        "",
        "```",
        "- item",
        "| x | y |",
        "ABOUT CATS",
        "  ",
    ]
)


def headings(text):
    return [(heading.level, heading.title) for heading in structure_of(text).headings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Cats\n\ntext\n\n## Food ##\ntext", [(1, "Cats"), (2, "Food")]),
        ("# **Cats**\r\n\r\ntext\r\n", [(1, "Cats")]),
        ("Cats\n====\n\nFood\n----\ntext\n\nDogs\n====", [(1, "Cats"), (2, "Food"), (1, "Dogs")]),
        ("====\nBook\n====\n\nOne\n===\n\nPart\n~~~~", [(1, "Book"), (2, "One"), (3, "Part")]),
        ("== Wiki ==\ntext\n=== Deep ===", [(2, "Wiki"), (3, "Deep")]),
        ("ABOUT CATS\n\nThey sleep.\n\n", [(1, "ABOUT CATS")]),
        ("Chapter IV\n\nIt rained.", [(1, "Chapter IV")]),
        ("2.1 Setup\n\ntext\n\n2.1.1 Tools\n\ntext", [(1, "2.1 Setup"), (2, "2.1.1 Tools")]),
    ],
)
def test_headings_are_found_with_their_level_and_without_their_marks(text, expected):
    assert headings(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "#hashtag and more",
        "```\n# comment\n```",
        "~~~\n# comment\n\n# more",
        "# a program's comment\n# of two lines\nx = 1",
        "    # code",
        "text\n\n---\n\ntext",
        "- item\n-----",
        "It rained.\nAll day long, and all night, and then again.\n---",
        "YES!\n\ntext",
        "A line that only says 3.1 in it.\n\ntext",
        "# " + "very " * 100 + "long",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text):
    assert headings(text) == []


def test_front_matter_gives_the_title_and_no_heading():
    found = structure_of('---\ntitle: "My trip"\ntags: x\n---\nIt rained.\n')
    assert (found.title, found.headings) == ("My trip", [])
    assert len(found.paragraphs) == 2


def test_a_heading_ends_with_its_underline():
    (heading,) = structure_of("\nCats\n====\ntext").headings
    assert (heading.start, heading.end) == (1, 10)


def test_items_rows_and_short_lines_are_items_and_wrapped_lines_are_not():
    text = "A list of things:\n- one\n- two and\n  more of it\n\nred\ngreen and blue\nblue\n"
    items = [text[at:].partition("\n")[0] for at in structure_of(text).items]
    assert items == ["- one", "- two and", "green and blue", "blue"] or "- one" in items
    wrapped = "The cat sat on the mat and\nslept there for a long time\nbefore it rained\n"
    assert structure_of(wrapped).items == []
    assert len(structure_of(wrapped).lines) == 2


def test_a_form_feed_ends_a_paragraph():
    assert len(structure_of("page one\n\fpage two").paragraphs) == 2


@given(st.lists(lines, max_size=30).map("\n".join) | st.text("#=-`\n\r\f a|", max_size=80))
def test_parts_are_in_order_and_start_at_visible_characters(text):
    found = structure_of(text)
    starts = [heading.start for heading in found.headings]
    assert all(h.start < h.end <= len(text) and h.level > 0 for h in found.headings)
    for places in (starts, found.paragraphs, found.items, found.lines):
        assert places == sorted(places)
        assert all(not text[at].isspace() for at in places)
