"""Where a hit is."""

import pytest

from edgeembed import Hit
from edgeembed.results.location import location_of


def at(metadata, title=""):
    return location_of(Hit(key="k#1", score=1, document="", metadata=metadata, title=title))


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        (None, "k#1"),
        ({}, "k#1"),
        ({"line": 3}, "k#1"),
        ({"source": "a.md", "line": 3}, "a.md:3"),
        ({"source": "a.pdf", "line": 3, "page": 2}, "a.pdf page 2"),
        ({"source": "a.pptx", "slide": 4}, "a.pptx slide 4"),
        ({"source": "a.xlsx", "sheet": "Costs", "cells": "A2:D2"}, "a.xlsx sheet Costs!A2:D2"),
        ({"source": "a.srt", "line": 7, "time": "00:01:02"}, "a.srt at 00:01:02"),
        ({"source": "a.eml", "part": "plan.pdf", "page": 2}, "a.eml/plan.pdf page 2"),
        ({"source": "a.zip", "part": "b/c.txt", "line": 9}, "a.zip/b/c.txt:9"),
        ({"source": "Reuters", "line": "3a", "_place": {"source": "a.md", "line": 3}}, "a.md:3"),
        ({"source": "photo.jpg"}, "k#1"),
        ({"source": 5, "line": "x"}, "k#1"),
        ({"source": "a.md", "line": True}, "k#1"),
    ],
)
def test_a_place_is_named_by_file_and_line_or_page_or_else_by_its_key(metadata, name):
    assert at(metadata).name == name


def test_headings_make_a_path_and_the_title_stands_in_where_there_is_no_file():
    assert at({"source": "a", "headings": ["One", "Two"]}).heading_path == "One > Two"
    assert at({"source": "a", "headings": "One"}, "Folder > a").heading_path == ""
    assert at({"headings": [1, "", "Two"]}).heading_path == "Two"
    assert at(None, "A title").heading_path == "A title"


def test_only_a_file_that_is_there_can_be_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").write_text("a")
    assert at({"source": "a.md"}).file() == tmp_path / "a.md"
    for source in ("gone.md", ".", "a\0b", "x" * 5000, ""):
        assert at({"source": source}).file() is None
    assert at(None).file() is None
