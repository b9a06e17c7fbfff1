"""Tables from .csv, .tsv, .txt with tabs, or .jsonl, with or without a header."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edgeembed.ingest.texts import read_lines, read_records
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors

# Names of a field in a header or a record, in lower case without separators.
_ALIASES: Mapping[str, frozenset[str]] = {
    "text1": frozenset({"text1", "sentence1", "sentencea", "word1", "source"}),
    "text2": frozenset({"text2", "sentence2", "sentenceb", "word2", "target"}),
    "score": frozenset({"score", "similarity", "gold", "relevance", "rating", "humanmean"}),
    "query-id": frozenset({"queryid"}),
    "corpus-id": frozenset({"corpusid", "documentid"}),
    "query": frozenset({"query", "question", "anchor"}),
    "document": frozenset({"document", "passage", "doc", "answer"}),
    "positive": frozenset({"positive", "positives"}),
    "negative": frozenset({"negative", "negatives"}),
    "text": frozenset({"text", "sentence"}),
    "label": frozenset({"label", "class", "category", "labels"}),
}
_FIELD_OF = {alias: field for field, aliases in _ALIASES.items() for alias in aliases}
_PROBE_BYTES = 4096
_RECORDS = (".jsonl", ".ndjson")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its line in the file, and its values by field."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file's rows. Without a header, fields are the columns' numbers as text: "0", "1", ..."""

    path: Path
    fields: tuple[str, ...]
    rows: tuple[Row, ...]

    def has(self, *fields: str) -> bool:
        """Whether the table has these fields."""
        return set(fields) <= set(self.fields)

    @property
    def has_header(self) -> bool:
        """Whether its fields have names, not numbers."""
        return not self.has("0")

    def named(self, *fields: str) -> "Table":
        """The same table; columns that only have numbers get these names, in this order.

        Raises:
            InputError: a field is missing.
        """
        table = self
        if self.fields and self.fields[0] == "0" and len(self.fields) >= len(fields):
            renamed = {str(number): field for number, field in enumerate(fields)}
            rows = tuple(
                Row(line=row.line, values={renamed.get(k, k): v for k, v in row.values.items()})
                for row in self.rows
            )
            table = Table(
                path=self.path, fields=tuple(renamed.get(f, f) for f in self.fields), rows=rows
            )
        if not table.has(*fields):
            raise InputError(
                f"{self.path}: expected the columns {', '.join(fields)}, "
                f"found {', '.join(self.fields) or 'none'}"
            )
        return table

    def column(self, field: str) -> list[str]:
        """The texts of one field, in order.

        Raises:
            InputError: a value is missing or is not a text.
        """
        return [self.text(row, field) for row in self.rows]

    def text(self, row: Row, field: str) -> str:
        """The text in one field of a row; numbers and booleans are converted."""
        value = row.values.get(field)
        if isinstance(value, bool | int | float):
            return str(value)
        if not isinstance(value, str):
            raise self._error(row, f"a text in {field!r}", value)
        return value

    def texts(self, row: Row, field: str) -> list[str]:
        """One text or a list of texts in one field of a row."""
        value = row.values.get(field)
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(t, str) for t in cast(Any, found)):
            raise self._error(row, f"a text or a list of texts in {field!r}", value)
        return cast(list[str], found)

    def numbers(self, field: str) -> list[float]:
        """The finite numbers of one field, in order."""
        return [self._number(row, field) for row in self.rows]

    def _number(self, row: Row, field: str) -> float:
        try:
            number = float(row.values.get(field, "nothing"))
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise self._error(row, f"a number in {field!r}", row.values.get(field))
        return number

    def _error(self, row: Row, expected: str, found: object) -> InputError:
        return InputError(f"{self.path}, line {row.line}: expected {expected}, got {found!r:.80}")


def beginning_of_txt(path: Path) -> bytes | None:
    """The first bytes of a .txt file, which tell what it holds; None for any other path."""
    if path.suffix.lower() != ".txt" or not path.is_file():
        return None
    with open_plain_file(path, follow_links=True) as file:
        return file.read(_PROBE_BYTES)


def read_table(path: Path) -> Table:
    """Read a file's rows.

    Raises:
        InputError: it has no rows, rows of different lengths, or is not UTF-8.
        StorageError: it cannot be read.
    """
    with storage_errors("read", path), open_plain_file(path, follow_links=True) as stream:
        if path.suffix.lower() in _RECORDS:
            rows = tuple(
                Row(line=line, values={_field(name): value for name, value in record.items()})
                for line, record in read_records(stream, str(path))
            )
            fields = tuple(dict.fromkeys(name for row in rows for name in row.values))
        else:
            cells = list(_cells(path, [text for _, text in read_lines(stream, str(path))]))
            fields, rows = _with_header(path, cells)
    if not rows:
        raise InputError(f"{path}: expected rows, found none")
    return Table(path=path, fields=fields, rows=rows)


def _cells(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells; leading comments and empty lines are skipped."""
    first = next((n for n, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    if path.suffix.lower() == ".csv":
        reader = csv.reader(io.StringIO("\n".join(lines[first:])), strict=True)
        try:
            for row in reader:
                if row:
                    yield first + reader.line_num, row
        except csv.Error as error:
            raise InputError(f"{path}, line {first + reader.line_num}: {error}") from error
        return
    for number, line in enumerate(lines[first:], first + 1):
        if line.strip():
            # Tab-separated data sets do not quote: a quotation mark is part of the text.
            yield number, line.split("\t")


def _with_header(
    path: Path, cells: Sequence[tuple[int, list[str]]]
) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    if not cells:
        return (), ()
    names = [_field(cell) for cell in cells[0][1]]
    header = sum(name in _ALIASES for name in names) > len(names) / 2
    fields = tuple(names) if header else tuple(str(number) for number in range(len(names)))
    rows: list[Row] = []
    for line, row in cells[1:] if header else cells:
        if len(row) != len(fields):
            raise InputError(f"{path}, line {line}: expected {len(fields)} columns, got {len(row)}")
        rows.append(Row(line=line, values=dict(zip(fields, row, strict=True))))
    return fields, tuple(rows)


def _field(name: str) -> str:
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    return _FIELD_OF.get(plain, name.strip())
