"""The page of text results."""

import re
import sys
from html.parser import HTMLParser

import pytest

from edgeembed import Hit
from edgeembed.results.answers import answers_of
from edgeembed.results.duplicates import fold
from edgeembed.results.page import write_page
from edgeembed_runtime.errors import MissingExtraError

EVIL = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> \x1b[31m \u202e\x00 &amp;"


class Seen(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text, self.source = [], [], "", ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def hit(key="k", document="The cat sat. A dog ran.", metadata=None, **fields):
    return Hit(key=key, score=0.5, document=document, metadata=metadata, **fields)


@pytest.fixture
def seen(tmp_path):
    def write(query, *hits):
        write_page(tmp_path / "found.html", query, answers_of(query, fold(hits)), "1 of 2")
        page = Seen()
        page.source = (tmp_path / "found.html").read_text(encoding="utf-8")
        page.feed(page.source)
        return page

    return write


def test_the_page_shows_the_query_the_passage_and_what_matters_in_it(seen):
    page = seen("the cat", hit(before="It was noon.", after="Rain fell."))
    assert page.source.lstrip().startswith("<!doctype html>")
    assert "<mark>The </mark><mark><b>cat</b></mark><mark> sat.</mark> A dog ran." in page.source
    for part in ("the cat", "1 of 2", "It was noon.", "Rain fell.", "score 0.500"):
        assert part in page.text
    assert "prefers-color-scheme: dark" in page.source


def test_nothing_of_a_document_gets_out_of_its_text(seen):
    metadata = {"source": EVIL, "line": 1, "headings": [EVIL, '"><b onclick=x>']}
    page = seen(EVIL, hit(EVIL, EVIL, metadata, before=EVIL, after=EVIL), hit("2", EVIL))
    assert not {"script", "img", "iframe", "link", "object"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "alert(1)" in page.text
    assert not set(page.source) & set("\x1b\x00\u202e")
    assert "default-src 'none'" in page.source


def test_the_page_needs_no_network(seen):
    assert re.findall(r"https?://|url\(|@import|src=", seen("cat", hit()).source) == []


def test_a_file_that_is_there_is_linked_and_its_name_escaped(seen, tmp_path):
    file = tmp_path / 'a "b" #c.md'
    file.write_text("cat")
    page = seen("cat", hit(metadata={"source": str(file), "line": 2}), hit("g", "gone"))
    links = [value for name, value in page.attributes if name == "href"]
    assert links == [file.as_uri()]
    assert f"{file}:2" in page.text


def test_copies_are_named_under_the_first(seen):
    page = seen("cat", hit("one", "a cat"), hit("two", "A  cat"))
    assert page.tags.count("article") == 1
    assert "also in: two" in page.text


def test_how_sure_a_result_is_stands_beside_it_and_nothing_that_fits_is_said_first(seen):
    page = seen("cat", hit(probability=0.7), hit("b", "other", probability=0.05))
    assert "likely" in page.text and "unlikely" in page.text and "score" not in page.text
    assert "Nothing that fits" not in page.text
    page = seen("dog food", hit(probability=0.1))
    assert page.text.index("Nothing that fits") < page.text.index("The cat")
    assert "Nothing found" in seen("cat").text


def test_lone_surrogates_and_right_to_left_texts_can_be_written(seen):
    page = seen("\ud800", hit(document="שלום \udfff"))
    assert "שלום" in page.text
    assert ("dir", "auto") in page.attributes


def test_without_jinja2_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"edgeembed\[cli\]"):
        write_page(tmp_path / "found.html", "cat", [], "")
    assert not (tmp_path / "found.html").exists()
