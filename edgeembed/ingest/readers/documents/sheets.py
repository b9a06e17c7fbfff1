"""Spreadsheets: Excel old and new, and OpenDocument, row by row with the names of the columns."""

import datetime
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.documents.opendocument import OpenDocumentReader
from edgeembed.ingest.readers.documents.packages import (
    office_properties,
    open_package,
    opendocument_properties,
    refuse_encrypted_office,
    refuse_encrypted_opendocument,
)
from edgeembed.ingest.readers.documents.rows import Row, named_rows
from edgeembed.ingest.readers.documents.sections import pieces
from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_ZIP = b"PK\x03\x04"
_BEGINNING = 1000
# Bytes that texts have in most encodings, and old spreadsheets have not alone.
_OF_TEXT = bytes((9, 10, 13, *range(32, 127), *range(128, 256)))
_MIDNIGHT = datetime.time()


class SheetsReader:
    """Reads .xlsx, .xls, .xlsb and .ods by calamine: values as they were last computed."""

    name = "spreadsheet"
    suffixes: frozenset[str] = frozenset(
        {".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlt", ".xlsb", ".ods"}
    )
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield a block for each row that is not empty, under the name of its sheet.

        Raises:
            SkippedError: encrypted, damaged, or too large.
            MissingExtraError: python-calamine is not installed.
        """
        try:
            from python_calamine import CalamineError, CalamineWorkbook, PasswordError
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_extra("spreadsheets", "documents") from error
        if suffix := _suffix_of_text(source):
            yield from source.read_inner(replace(source, name=f"{source.name}{suffix}"))
            return
        title, metadata, is_opendocument = _checked(source)
        source.stream.seek(0)
        try:
            workbook = CalamineWorkbook.from_filelike(source.stream)
        except PasswordError as error:
            raise SkippedError(Reason.ENCRYPTED, "a password opens it") from error
        except CalamineError as error:
            if not is_opendocument:
                raise SkippedError(Reason.DAMAGED, f"{error}") from error
            yield from _as_text(source)
            return
        if is_opendocument and not any(map(_has_cells, _sheets(workbook))):
            workbook.close()
            yield from _as_text(source)
            return
        with closing(workbook):
            for name in workbook.sheet_names:
                try:
                    sheet = workbook.get_sheet_by_name(name)
                except CalamineError as error:
                    yield Remark(reason=Reason.DAMAGED, where=f"sheet {name}", detail=f"{error}")
                    continue
                yield from _rows(sheet, title, metadata)


def _sheets(workbook: "CalamineWorkbook") -> Iterator["CalamineSheet"]:
    for name in workbook.sheet_names:
        with suppress(Exception):  # CalamineError: reading it again says so
            yield workbook.get_sheet_by_name(name)


def _has_cells(sheet: "CalamineSheet") -> bool:
    return sheet.start is not None


def _as_text(source: Source) -> Iterator[Block | Remark]:
    """An OpenDocument without the types of cells, or with more rows than fit, as a text.

    The types are left out by programs; a row may say that it stands there a thousand million times.
    """
    source.stream.seek(0)
    yield from OpenDocumentReader().read(source)


def _suffix_of_text(source: Source) -> str:
    """What web sites call .xls is often a page with a table, or text between tabs; else ""."""
    beginning = source.stream.read(_BEGINNING)
    source.stream.seek(0)
    if not beginning or beginning.translate(None, _OF_TEXT):
        return ""
    return ".html" if beginning.lstrip().startswith(b"<") else ".tsv" if b"\t" in beginning else ""


def _checked(source: Source) -> tuple[str, dict[str, Any], bool]:
    """Refuse bombs and what is encrypted; return title, metadata, whether it is OpenDocument."""
    beginning = source.stream.read(len(_ZIP))
    source.stream.seek(0)
    if beginning != _ZIP:
        refuse_encrypted_office(source)
        return "", {}, False
    with open_package(source) as package:
        if "content.xml" in package.namelist():
            refuse_encrypted_opendocument(package)
            return *opendocument_properties(package), True
        return *office_properties(package), False


def _rows(sheet: "CalamineSheet", title: str, metadata: dict[str, Any]) -> Iterator[Block]:
    # The empty rows above the first one are given as well; the columns before it are not.
    _, first_column = sheet.start or (0, 0)
    for row in named_rows([shown(cell) for cell in cells] for cells in sheet.iter_rows()):
        place = {"sheet": sheet.name, "cells": _cells(row, first_column)}
        for piece in pieces(row.text):
            yield Block(
                text=piece, place=place, title=title, headings=(sheet.name,), metadata=metadata
            )


def _cells(row: Row, first_column: int) -> str:
    filled = [column for column, cell in enumerate(row.cells) if cell]
    first, last = (f"{_letters(first_column + c)}{row.number + 1}" for c in (filled[0], filled[-1]))
    return first if first == last else f"{first}:{last}"


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def shown(cell: object) -> str:
    """A cell as people read it: 3 for 3.0, dates and times as ISO 8601, lines joined."""
    match cell:
        case str():
            return " ".join(cell.split())
        case bool():
            return "yes" if cell else "no"
        case float():
            return f"{cell:.15g}"
        case datetime.datetime():
            return str(cell.date() if cell.time() == _MIDNIGHT else cell)
        case _:
            return str(cell)
