"""CSV and TSV, row by row, under the names of the columns."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from edgeembed.ingest.readers.base.parts import line_part
from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, Source
from edgeembed.ingest.readers.data.records import record_blocks, row_blocks
from edgeembed.ingest.readers.plain.decoded import DecodedText, lines_of

_DELIMITERS = ",;\t|"
_MAX_LINE = 1 << 20
_MAX_CELL = 1 << 17  # what the csv module takes by default, set for all of a process
_LOOK = 20
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,17}")
_MAX_NAME = 80


class TableReader:
    """Reads tables; every row is a document."""

    name = "CSV"
    suffixes: frozenset[str] = frozenset({".csv", ".tsv"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        lines = _Lines(lines_of(text, _MAX_LINE))
        beginning = lines.look(_LOOK)
        if PurePath(source.name).suffix.lower() == ".tsv":
            delimiter = "\t"
        else:
            delimiter = _delimiter(beginning)
        width = _width(beginning, delimiter)
        names: Sequence[str] | None = None
        alone: Iterable[
            Block | Remark
        ] = ()  # names of columns without a row are a text like others
        for number, (line, cells) in enumerate(_rows(lines, delimiter), 1):
            if isinstance(cells, Remark):
                yield cells
            elif any(cells) and names is None and _is_title(cells, width, beginning[line:]):
                yield from _row_blocks(cells, (), line, number, source)  # a title above the table
            elif any(cells) and names is None:
                names = _names(cells)
                alone = _row_blocks(cells, (), line, number, source)
                if not names:
                    yield from alone
            elif any(cells):
                yield from _row_blocks(cells, names or (), line, number, source)
                alone = ()
        yield from alone
        yield from text.remarks()


class _Lines:
    """Lines for the csv module; knows the number of the last one, and which were too long."""

    def __init__(self, lines: Iterator[tuple[int, str | None]]) -> None:
        self._lines = lines
        self._ahead: list[tuple[int, str | None]] = []
        self.number = 0
        self.too_long: list[int] = []

    def look(self, count: int) -> list[str]:
        """The first lines, which still come."""
        for _, each in zip(range(count), self._lines, strict=False):
            self._ahead.append(each)
        return [line for _, line in self._ahead if line is not None]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            self.number, line = self._ahead.pop(0) if self._ahead else next(self._lines)
            if line is None:
                self.too_long.append(self.number)
            else:
                return line.replace("\0", "")


def _rows(lines: _Lines, delimiter: str) -> Iterator[tuple[int, "list[str] | Remark"]]:
    """Yield (line that a row begins on, its cells, or why it is left out)."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        begins = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            where = f"line {begins}"
            yield begins, Remark(reason=Reason.DAMAGED, where=where, detail=str(error))
            reader = csv.reader(lines, delimiter=delimiter)  # the old one is inside a quote
            continue
        for number in lines.too_long:
            detail = f"more than {_MAX_LINE} characters"
            yield number, Remark(reason=Reason.TOO_LARGE, where=f"line {number}", detail=detail)
        lines.too_long.clear()
        if cells is None:
            return
        yield begins, [cell.strip() for cell in cells]


def _delimiter(lines: list[str]) -> str:
    """The mark that most evenly cuts the first lines into most cells."""

    def evenness(mark: str) -> tuple[int, int]:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        except csv.Error:
            return 0, 0
        if not widths or widths[0] == 1:
            return 0, 0
        return sum(width == widths[0] for width in widths), widths[0]

    return max(_DELIMITERS, key=evenness)


def _is_title(cells: Sequence[str], width: int, below: list[str]) -> bool:
    """Whether a first row stands above a table that is wider, on its own."""
    is_alone = len(cells) == 1 or (bool(below) and not below[0].strip())
    return len(cells) < width and is_alone


def _width(lines: list[str], delimiter: str) -> int:
    """How many cells most of the first rows have."""
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if any(row))
    except csv.Error:
        return 0
    width = max(widths, key=lambda width: (widths[width], width), default=0)
    return width if widths[width] > 1 else 0


def _names(cells: Sequence[str]) -> Sequence[str]:
    """The names of columns in a first row; () if it looks like any other row."""
    filled = [cell for cell in cells if cell]
    is_header = (
        bool(filled)
        and len({cell.casefold() for cell in filled}) == len(filled)
        and all(
            len(cell) <= _MAX_NAME and not isinstance(_typed(cell), float | int) for cell in filled
        )
    )
    if not is_header:
        return ()
    return [cell or f"column {number}" for number, cell in enumerate(cells, 1)]


def _row_blocks(
    cells: Sequence[str], names: Sequence[str], line: int, number: int, source: Source
) -> Iterator[Block | Remark]:
    more = [f"column {n}" for n in range(len(names) + 1, len(cells) + 1)]
    row = {name: _typed(cell) for name, cell in zip([*names, *more], cells, strict=False) if cell}
    place = {"line": line, "row": number}
    field = source.settings.text_field
    if isinstance(row.get(field), str):
        blocks: Iterable[Block | Remark] = record_blocks(
            {name: value for name, value in row.items() if name not in ("key", "_id")}, line, field
        )
    else:
        blocks = row_blocks(row, place, line_part(line))
    yield from blocks


def _typed(cell: str) -> Any:
    """A number or a truth value as one; anything else, and what has leading zeros, as text."""
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _NUMBER.fullmatch(cell):
        return float(cell)
    return {"true": True, "false": False}.get(cell.casefold(), cell)
