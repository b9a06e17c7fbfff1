"""Files of any size are read in windows whose places are those of the file on disk."""

import base64
import itertools
import random
import tracemalloc

import pytest

from edgeembed.ingest.readers.base.protocol import MAX_BLOCK, Block, ReadingSettings, Reason
from edgeembed.ingest.readers.registry import read_file
from helpers.readers.reading import read_bytes

TEXTS = {
    "paragraphs": "The cat sat.\nIt slept.\n\nA dog ran in the rain.\r\n\r\n" * 9000,
    "crlf": "The cat sat on the mat.\r\n" * 9000,
    "cr": "The cat sat on the mat.\r" * 9000,
    "one line": "the cat sat on the mat " * 9000,
    "no space": "ACGT" * 60_000,
    "wide": "東京は日本の首都です。🎉\n" * 12_000,
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_windows_are_all_of_a_text_and_know_their_places(tmp_path, kind, name):
    text = TEXTS[kind]
    blocks, _ = read_bytes(tmp_path, name, text)
    assert len(blocks) > 1
    assert "".join(block.text for block in blocks) == text
    start = 0
    for block in blocks:
        assert 0 < len(block.text) <= MAX_BLOCK
        assert block.place == {"start": start, "line": text.count("\n", 0, start) + 1}
        start += len(block.text)


def test_windows_end_where_paragraphs_do(tmp_path):
    blocks, _ = read_bytes(tmp_path, "a.txt", TEXTS["paragraphs"])
    assert all(block.text.startswith(("The cat", "A dog")) for block in blocks)
    blocks, _ = read_bytes(tmp_path, "a.txt", TEXTS["crlf"])
    assert all(block.text.endswith("\r\n") for block in blocks)


def test_a_large_file_is_read_in_little_memory(tmp_path):
    path = tmp_path / "large.log"
    line = b"2024-05-01 12:00:00 INFO the server request failed with timeout\n"
    with path.open("wb") as file:
        for _ in range(20):
            file.write(line * 16_000)  # 20 MB
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_file(path, ReadingSettings()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count > 300
    assert peak < 4 << 20


def test_a_file_that_grows_while_it_is_read_ends_where_it_ended(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("the cat\n" * 100_000)
    found = read_file(path, ReadingSettings())
    texts = [block.text for block in itertools.islice(found, 1) if isinstance(block, Block)]
    with path.open("a") as file:
        file.write("the dog\n" * 100_000)
    texts += [block.text for block in found if isinstance(block, Block)]
    assert "".join(texts) == "the cat\n" * 100_000


def test_headings_are_carried_over_windows_and_end_with_their_sections(tmp_path):
    filler = "The cat sat on the mat, and slept.\n\n" * 2500
    text = f"# One\n\n## Two\n\n{filler}### Three\n\nx\n\n## Four\n\ny\n\n# Five\n\nz\n"
    blocks, _ = read_bytes(tmp_path, "a.md", text)
    assert "".join(block.text for block in blocks) == text
    above = [(block.headings, block.text.lstrip("#").split()[0]) for block in blocks]
    assert above[0] == ((), "One")
    assert above[1][0] == ("One", "Two")
    assert above[-2:] == [(("One",), "Four"), ((), "Five")]
    starts = [int(block.place["start"]) for block in blocks]
    assert all(a < b for a, b in itertools.pairwise(starts))


@pytest.mark.parametrize("width", [10**9, 76, 64])
@pytest.mark.parametrize("name", ["a.md", "a.txt"])
def test_pictures_in_base64_are_passed_over_and_told(tmp_path, name, width):
    data = base64.b64encode(random.Random(0).randbytes(150_000)).decode()
    lines = "\n".join(data[at : at + width] for at in range(0, len(data), width))
    text = f"# Boiler\n\nBefore.\n\n![](data:image/png;base64,{lines})\n\nAfter it.\n"
    blocks, remarks = read_bytes(tmp_path, name, text)
    read = "".join(block.text for block in blocks)
    assert len(read) < 200
    assert "Before." in read
    assert "After it." in read
    for block in blocks:
        start = int(block.place["start"])
        assert text[start : start + len(block.text)] == block.text
        assert block.place["line"] == text.count("\n", 0, start) + 1
    assert {remark.reason for remark in remarks} == {Reason.NOT_TEXT}
    assert remarks[0].where == "line 5"


def test_long_words_and_code_without_spaces_are_text(tmp_path):
    for text in ("x" * 5000, "ACGT" * 2000, "a,B1;" * 2000, "東京" * 3000):
        blocks, remarks = read_bytes(tmp_path, "a.txt", text)
        assert ("".join(block.text for block in blocks), remarks) == (text, [])
