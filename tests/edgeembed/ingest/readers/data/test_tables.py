"""CSV: every row under the names of its columns."""

import tracemalloc

import pytest

from edgeembed.ingest.readers.base.protocol import Block, ReadingSettings, Reason, Remark
from edgeembed.ingest.readers.registry import read_file
from helpers.readers.reading import read_bytes, told

TABLE = """id,name,note,born,height,zip,member
1,Ann,"Swims, a lot",1990-05-01,1.72,08001,true

2,Bob,"two
lines",,,,
"""


def test_rows_are_texts_and_typed_metadata(tmp_path):
    blocks, remarks = read_bytes(tmp_path, "a.csv", TABLE)
    assert remarks == []
    assert blocks[0].text == (
        "id: 1; name: Ann; note: Swims, a lot; born: 1990-05-01; height: 1.72; zip: 08001; "
        "member: true"
    )
    assert blocks[0].metadata == {
        "id": 1,
        "name": "Ann",
        "note": "Swims, a lot",
        "born": "1990-05-01",
        "height": 1.72,
        "zip": "08001",
        "member": True,
    }
    assert blocks[1].text == "id: 2; name: Bob; note: two\nlines"
    assert [block.place["line"] for block in blocks] == [2, 4]
    assert [block.part for block in blocks] == [":2", ":4"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "name;price\nApple;1,5\nPear;2,5\n"),
        ("a.csv", "name|price\nApple|1,5\nPear|2,5\n"),
        ("a.tsv", "name\tprice\nApple\t1,5\nPear\t2,5\n"),
        ("a.csv", "name\tprice\r\nApple\t1,5\r\nPear\t2,5\r\n"),
    ],
)
def test_the_mark_between_cells_is_found(tmp_path, name, text):
    blocks, _ = read_bytes(tmp_path, name, text)
    assert [block.text for block in blocks] == [
        "name: Apple; price: 1,5",
        "name: Pear; price: 2,5",
    ]


def test_a_table_without_names_is_read_from_its_first_row(tmp_path):
    blocks, _ = read_bytes(tmp_path, "a.csv", "1,Ann\n2,Bob\n")
    assert [block.text for block in blocks] == [
        "column 1: 1; column 2: Ann",
        "column 1: 2; column 2: Bob",
    ]


@pytest.mark.parametrize("text", ["The dentist is on Thursday, at nine.", "\nname,city\n", "a;b"])
def test_a_first_row_that_stays_alone_is_text(tmp_path, text):
    blocks, _ = read_bytes(tmp_path, "a.csv", text)
    words = [word for word in text.replace(";", ",").split(",") if word.strip()]
    assert len(blocks) == 1
    assert all(word.strip() in blocks[0].text for word in words)


def test_names_of_columns_are_no_row_where_there_are_rows(tmp_path):
    blocks, _ = read_bytes(tmp_path, "a.csv", "\nname,city\nAnn,Bern\n")
    assert [block.text for block in blocks] == ["name: Ann; city: Bern"]


def test_a_row_with_more_cells_than_names(tmp_path):
    blocks, _ = read_bytes(tmp_path, "a.csv", "a,b\n1,2,3\n4\n")
    assert [block.text for block in blocks] == ["a: 1; b: 2; column 3: 3", "a: 4"]


def test_a_column_of_texts_is_the_text(tmp_path):
    (block,), _ = read_bytes(tmp_path, "a.csv", "id,text,lang\n7,The cat sat.,en\n")
    assert (block.text, block.metadata) == ("The cat sat.", {"lang": "en"})
    assert block.part == "7"


def test_one_cell_that_is_too_long_costs_its_row(tmp_path):
    rows = ["a,b", "1,one", '2,"' + "x" * 200_000 + '"', "3,three"]
    blocks, remarks = read_bytes(tmp_path, "a.csv", "\n".join(rows))
    assert [block.text for block in blocks] == ["a: 1; b: one", "a: 3; b: three"]
    assert told(remarks) == [(Reason.DAMAGED, "line 3")]


def test_a_quote_that_is_never_closed_ends(tmp_path):
    rows = ["a,b", '1,"one', *(f"{n},x" for n in range(40_000))]
    blocks, remarks = read_bytes(tmp_path, "a.csv", "\n".join(rows))
    assert told(remarks)[0] == (Reason.DAMAGED, "line 2")
    assert len(blocks) > 5_000


@pytest.mark.slow
def test_a_cell_of_100_mb_is_passed_over_in_little_memory(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write("a,b\n1,one\n2,")
        for _ in range(100):
            file.write("x" * (1 << 20))
        file.write("\n3,three\n")
    tracemalloc.start()
    try:
        found = list(read_file(path, ReadingSettings()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    blocks = [each.text for each in found if isinstance(each, Block)]
    assert blocks == ["a: 1; b: one", "a: 3; b: three"]
    assert [each.where for each in found if isinstance(each, Remark)] == ["line 3"]
    assert peak < 32 << 20


def test_a_title_above_the_names_of_the_columns_is_none_of_them(tmp_path):
    table = "Account;Mill Lane\n\nDate;Sum;For\n1.2.;5;Tea\n2.2.;7;Paper\n"
    blocks, _ = read_bytes(tmp_path, "a.csv", table)
    assert [block.text for block in blocks] == [
        "column 1: Account; column 2: Mill Lane",
        "Date: 1.2.; Sum: 5; For: Tea",
        "Date: 2.2.; Sum: 7; For: Paper",
    ]
