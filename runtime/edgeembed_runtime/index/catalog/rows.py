"""Rows of the catalog, of the types that edgeembed writes; anything else is damage.

SQLite stores any type in any column, and its file may come from anybody.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from edgeembed_runtime.errors import IndexCorruptError

MOST = 1 << 62
"""No generation, row or count is as large; sums of two still fit into SQLite's 64 bits."""


def typed(rows: sqlite3.Cursor, *types: type | tuple[type, ...]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, each value checked to be of its column's type or types.

    Raises:
        IndexCorruptError: one is not.
    """
    for row in rows:
        for value, expected in zip(row, types, strict=True):
            if not isinstance(value, expected):
                raise IndexCorruptError(
                    f"the catalog is damaged: it holds {type(value).__name__} where another type "
                    f"belongs; restore the index from a backup"
                )
        yield row


def count_of(row: Any, what: str) -> int:
    """The only value of a row, which must be there: an integer from 0 to 2**62.

    Raises:
        IndexCorruptError: it is not.
    """
    number = row[0] if row else None
    if not isinstance(number, int) or not 0 <= number <= MOST:
        raise IndexCorruptError(
            f"the catalog is damaged: its {what} is not a number that can be; restore the index "
            f"from a backup"
        )
    return number
