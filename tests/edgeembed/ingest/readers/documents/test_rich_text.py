"""RTF, as WordPad and others write it."""

import pytest

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError
from helpers.documents.one_file import blocks, read, text

HEAD = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\colortbl;\red0\green0\blue0;}"


def rtf(body):
    return HEAD + body + b"}"


def test_control_words_are_left_out():
    assert text("a.rtf", rtf(rb"\plain\f0\fs24 The {\b boiler}\par in the cellar.\par")) == (
        "The boiler\nin the cellar."
    )


@pytest.mark.parametrize(
    ("code", "character"),
    [
        (rb"Gr\'fcn", "Grün"),
        (b"Gr\xfcn", "Grün"),
        (rb"\u8364?", "€"),
        (rb"\u-10179?\u-8704?", "😀"),
        (rb"\u-10179? alone", "� alone"),
    ],
)
def test_characters(code, character):
    assert text("a.rtf", rtf(code)) == character


def test_a_code_page():
    data = rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2}"
    assert text("a.rtf", data) == "Привет"


def test_pictures_are_left_out():
    picture = rb"{\pict\pngblip " + b"89504e470d0a1a0a" * 10_000 + b"}"
    assert text("a.rtf", rtf(b"before " + picture + b"after")) == "before after"


def test_title_author_and_date():
    info = rb"{\info{\title Gr\'fcn}{\author Ann}{\creatim\yr2024\mo7\dy31\hr10}}"
    (block,) = blocks("a.rtf", rtf(info + b"x"))
    assert (block.text, block.title) == ("x", "Grün")
    assert block.metadata == {"author": "Ann", "date": "2024-07-31"}


def test_what_is_no_rtf():
    with pytest.raises(SkippedError) as caught:
        read("a.rtf", b"plain text")
    assert caught.value.reason is Reason.DAMAGED


def test_without_text():
    assert read("a.rtf", rtf(b"")) == []
