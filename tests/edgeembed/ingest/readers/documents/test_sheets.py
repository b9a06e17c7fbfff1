"""Spreadsheets by openpyxl and odfpy: rows, names of columns, cells, values."""

import datetime
import io
from typing import Any

import openpyxl
import pytest
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from edgeembed.ingest.readers.base.protocol import (
    MAX_BLOCK,
    Block,
    ReadingSettings,
    Reason,
    SkippedError,
    Source,
)
from edgeembed.ingest.readers.documents.sheets import SheetsReader
from helpers.documents.one_file import blocks, read


def sheets(**tables):
    book: Any = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def texts(*rows):
    return [block.text for block in blocks("a.xlsx", sheets(T=rows))]


def test_rows_with_the_names_of_columns_their_sheet_and_cells():
    found = blocks("a.xlsx", sheets(People=[["Name", "Age"], ["Ann", 30]], Other=[[None, "x"]]))
    assert [(b.text, b.place, b.headings) for b in found] == [
        ("Name; Age", {"sheet": "People", "cells": "A1:B1"}, ("People",)),
        ("Name: Ann; Age: 30", {"sheet": "People", "cells": "A2:B2"}, ("People",)),
        ("x", {"sheet": "Other", "cells": "B1"}, ("Other",)),
    ]


def test_a_title_and_empty_rows_may_stand_above_the_names():
    found = blocks(
        "a.xlsx", sheets(T=[[], ["Sales 2024"], [], ["City", 2023, 2024], ["Bern", 1, 2]])
    )
    assert [(b.text, b.place["cells"]) for b in found] == [
        ("Sales 2024", "A2"),
        ("City; 2023; 2024", "A4:C4"),
        ("City: Bern; 2023: 1; 2024: 2", "A5:C5"),
    ]


def test_rows_without_names_stay_as_they_are():
    assert texts([1, "The boiler."], [2, "The wine."]) == ["1; The boiler.", "2; The wine."]
    long = "A sentence that is too long to be the name of a column of any table."
    assert texts([long, "b"], ["c", "d"]) == [f"{long}; b", "c; d"]
    assert texts(["a", "a"], ["b", "c"]) == ["a; a", "b; c"]
    assert texts(["Only", "names"]) == ["Only; names"]


def test_values_as_people_read_them():
    day = datetime.date(2024, 7, 31)
    assert (
        texts(
            ["a", "b", "c", "d", "e", "f"],
            [3.0, 0.1, True, day, datetime.datetime(2024, 7, 31, 12, 30), "two\nlines"],
        )[1]
        == "a: 3; b: 0.1; c: yes; d: 2024-07-31; e: 2024-07-31 12:30:00; f: two lines"
    )


def test_columns_beyond_z():
    row = [None] * 27 + ["x"]
    (block,) = blocks("a.xlsx", sheets(T=[row]))
    assert block.place["cells"] == "AB1"


def test_a_long_cell_is_cut():
    found = blocks("a.xlsx", sheets(T=[["x " * 16_000, "y " * 16_000, "z " * 16_000]]))
    assert len(found) == 2
    assert max(len(block.text) for block in found) <= MAX_BLOCK
    assert {block.place["cells"] for block in found} == {"A1:C1"}


def test_properties():
    book: Any = openpyxl.Workbook()
    book.active["A1"] = "x"
    book.properties.title, book.properties.creator = "Costs", "Ann"
    book.properties.created = datetime.datetime(2024, 7, 31)
    file = io.BytesIO()
    book.save(file)
    (block,) = blocks("a.xlsx", file.getvalue())
    assert (block.title, block.metadata) == ("Costs", {"author": "Ann", "date": "2024-07-31"})


def test_opendocument():
    document: Any = OpenDocumentSpreadsheet()
    table = Table(name="People")
    document.spreadsheet.addElement(table)
    for values in (("Name", "City"), ("Ann", "Bern")):
        row = TableRow()
        table.addElement(row)
        for value in values:
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=value))
            row.addElement(cell)
    file = io.BytesIO()
    document.write(file)
    found = blocks("a.ods", file.getvalue())
    assert [b.text for b in found] == ["Name; City", "Name: Ann; City: Bern"]
    assert found[1].place == {"sheet": "People", "cells": "A2:B2"}


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        ({}, {}),  # no type, as programs leave it out
        ({"numberrowsrepeated": 1_000_000}, {"valuetype": "string", "numbercolumnsrepeated": 1000}),
        ({"numberrowsrepeated": 2**31}, {"valuetype": "string", "numbercolumnsrepeated": 2**31}),
    ],
    ids=["without types", "a thousand million times", "more often than can be counted"],
)
def test_opendocument_that_calamine_cannot_read_is_read_as_a_text(row, cell):
    document: Any = OpenDocumentSpreadsheet()
    table, line, one = Table(name="T"), TableRow(**row), TableCell(**cell)
    one.addElement(P(text="the boiler"))
    line.addElement(one)
    table.addElement(line)
    document.spreadsheet.addElement(table)
    file = io.BytesIO()
    document.write(file)
    assert "".join(block.text for block in blocks("a.ods", file.getvalue())) == "the boiler"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"<html><table><tr><td>Name<td>Age</table>", "a.xls.html"),
        (b"Name\tAge\nAnn\t30\n", "a.xls.tsv"),
    ],
)
def test_a_page_or_a_text_with_the_suffix_of_a_spreadsheet(data, name):
    def read_inner(source):
        yield Block(text=f"{source.name}: {len(source.stream.read())}")

    source = Source(
        name="a.xls",
        stream=io.BytesIO(data),
        size=len(data),
        settings=ReadingSettings(),
        read_inner=read_inner,
    )
    assert list(SheetsReader().read(source)) == [Block(text=f"{name}: {len(data)}")]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"x" * 500, sheets(T=[["x"]])[:500]])
def test_damage(data):
    for suffix in ("xlsx", "xls", "ods", "xlsb"):
        with pytest.raises(SkippedError) as caught:
            read(f"a.{suffix}", data)
        assert caught.value.reason is Reason.DAMAGED
