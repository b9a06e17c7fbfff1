"""Rows of tables as text: "Name: Ann; Age: 30", by the names of their columns."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_MAX_NAME = 60
# Rows looked at for the names of the columns: above them may stand a title and empty rows.
_BEGINNING = 10
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table: its number from 0, its cells, and its text with the columns' names."""

    number: int
    cells: Sequence[str]
    text: str


class Columns:
    """The names of a table's columns, found in its first rows."""

    def __init__(self, beginning: Sequence[Sequence[str]]) -> None:
        """Look for a row of names: the first with two or more cells, if it is one."""
        self._names: Sequence[str] = ()
        self._above = len(beginning)
        """Rows up to the names, which have no names themselves."""
        for index, cells in enumerate(beginning[:-1]):
            if sum(map(bool, cells)) >= 2:
                if _are_names(cells, beginning[index + 1]):
                    self._names, self._above = [cell.rstrip(":") for cell in cells], index + 1
                return

    def text(self, index: int, cells: Sequence[str]) -> str:
        """The text of the row with a number from 0 among those that are not empty."""
        names = self._names if index >= self._above else ()
        return "; ".join(
            f"{name}: {cell}" if name else cell
            for name, cell in itertools.zip_longest(names, cells, fillvalue="")
            if cell
        )


def named_rows(rows: Iterable[Sequence[str]]) -> Iterator[Row]:
    """Yield the rows that are not empty; the row of names comes too, as plain text."""
    filled = ((n, row) for n, row in enumerate(rows) if any(row))
    beginning = list(itertools.islice(filled, _BEGINNING))
    columns = Columns([row for _, row in beginning])
    for index, (number, cells) in enumerate(itertools.chain(beginning, filled)):
        yield Row(number=number, cells=cells, text=columns.text(index, cells))


def table_text(rows: Iterable[Sequence[str]]) -> str:
    """A small table as lines."""
    return "\n".join(row.text for row in named_rows(rows))


def _are_names(cells: Sequence[str], below: Sequence[str]) -> bool:
    """Names are short, have letters or are years, differ, and are as many as the cells below."""
    names = [cell.rstrip(":").casefold() for cell in cells if cell]
    return (
        all(len(n) <= _MAX_NAME and (_has_letter(n) or _YEAR.fullmatch(n)) for n in names)
        and any(map(_has_letter, names))
        and len(set(names)) == len(names)
        and len(names) * 2 > sum(map(bool, below))
    )


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
