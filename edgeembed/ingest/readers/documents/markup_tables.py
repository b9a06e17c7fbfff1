"""Tables of HTML: rows with the names of their columns, or a frame for the layout of a page."""

from collections.abc import Iterator, Sequence

from edgeembed.ingest.readers.base.protocol import MAX_BLOCK
from edgeembed.ingest.readers.documents.rows import Columns

# Characters of a cell of data at most; a longer one is a part of a page.
_MAX_CELL = 1000
# What a cell counts beside its text: a million empty ones are many, too.
_CELL = 8


class MarkupTable:
    """Collects a table's rows; when it is full, they are taken, and it goes on."""

    def __init__(self) -> None:
        self._rows: list[list[list[str]]] = []  # of cells, of paragraphs
        self._size = 0
        self._columns: Columns | None = None
        self._done = 0
        self.in_cell: bool = False

    @property
    def is_full(self) -> bool:
        """Whether the rows are to be taken, to bound what is held."""
        return self._size > MAX_BLOCK

    def begin(self, tag: str) -> None:
        """Begin a row ("tr") or a cell ("td", "th")."""
        self._size += _CELL
        self.in_cell = tag != "tr"
        if tag == "tr" or not self._rows:
            self._rows.append([])
        if tag != "tr":
            self._rows[-1].append([])

    def add(self, text: str) -> None:
        """Add a paragraph to the present cell."""
        if not self._rows[-1]:
            self._rows[-1].append([])
        self._rows[-1][-1].append(text)
        self._size += len(text)

    def taken(self, *, is_whole: bool) -> Iterator[str]:
        """Take what is collected: a paragraph of lines, or those of the cells one after another.

        Unless the table is whole, its last row is not, and is left; a row that fills the table
        alone is a part of a page.
        """
        rows, self._rows, self._size = self._rows, [], 0
        if not is_whole:
            self._rows = [[[]]] if len(rows) == 1 else [rows.pop()]
        rows = [row for row in rows if any(row)]
        if not _is_data(rows):
            yield from (text for row in rows for cell in row for text in cell)
            return
        cells = [[" ".join(" ".join(cell).split()) for cell in row] for row in rows]
        if self._columns is None:
            self._columns = Columns(cells)
        lines = [self._columns.text(n, row) for n, row in enumerate(cells, self._done)]
        self._done += len(cells)
        yield "\n".join(lines)


def _is_data(rows: Sequence[Sequence[Sequence[str]]]) -> bool:
    return max(map(len, rows), default=0) > 1 and all(
        sum(map(len, cell)) <= _MAX_CELL for row in rows for cell in row
    )
