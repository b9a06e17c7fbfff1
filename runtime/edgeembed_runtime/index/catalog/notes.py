"""Notes: texts by name that whoever fills an index keeps in it, changed with its documents.

They are rows of the meta table, so that the format needs no table more.
"""

import sqlite3
from collections.abc import Mapping
from typing import cast

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.validation import check_keys, check_texts

_PREFIX = "note:"
_AFTER = "note;"  # the first text after all that start with the prefix
NO_NOTE = f"(k < '{_PREFIX}' OR k >= '{_AFTER}')"
"""SQL condition of the rows of meta that are no notes."""


def check_notes(notes: object) -> dict[str, str | None]:
    """Return the notes to write as a dict.

    Raises:
        InputError: not a dict of texts (or None) by names that could be keys.
    """
    if not isinstance(notes, Mapping):
        raise InputError(f"notes: expected texts by name, got {type(notes).__name__}")
    given = cast("Mapping[str, str | None]", notes)
    names = check_keys(list(given), what="notes")
    check_texts([text for text in given.values() if text is not None], what="notes")
    return {name: given[name] for name in names}


def read_notes(connection: sqlite3.Connection) -> dict[str, str]:
    """All notes by name; of one that is damaged nothing is left."""
    rows = connection.execute("SELECT k, v FROM meta WHERE k >= ? AND k < ?", (_PREFIX, _AFTER))
    return {k.removeprefix(_PREFIX): v for k, v in rows if isinstance(v, str)}


def write_notes(connection: sqlite3.Connection, notes: Mapping[str, str | None]) -> None:
    """Put notes into the caller's transaction; None removes one."""
    for name, text in notes.items():
        if text is None:
            connection.execute("DELETE FROM meta WHERE k = ?", (_PREFIX + name,))
        else:
            connection.execute(
                "INSERT OR REPLACE INTO meta(k, v) VALUES (?, ?)", (_PREFIX + name, text)
            )
