"""Notes: named texts that an application keeps in an index, written in the commits of documents.

They are rows of the meta table, so the format needs no further table.
"""

import sqlite3
from collections.abc import Mapping
from typing import cast

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.validation import check_keys, check_texts

_PREFIX = "note:"
_AFTER = "note;"  # sorts directly after everything with the prefix
NO_NOTE = f"(k < '{_PREFIX}' OR k >= '{_AFTER}')"
"""SQL condition for the rows of meta that are not notes."""


def check_notes(notes: object) -> dict[str, str | None]:
    """Return the notes to write as a dict.

    Raises:
        InputError: not a dict of texts (or None) whose names are valid keys.
    """
    if not isinstance(notes, Mapping):
        raise InputError(f"notes: expected a dict of texts, got {type(notes).__name__}")
    given = list(cast("Mapping[str, str | None]", notes).items())
    names = check_keys([name for name, _ in given], what="notes")
    texts = iter(check_texts([text for _, text in given if text is not None], what="notes"))
    return {
        name: None if text is None else next(texts)
        for name, (_, text) in zip(names, given, strict=True)
    }


def read_notes(connection: sqlite3.Connection) -> dict[str, str]:
    """All notes by name, without damaged ones."""
    rows = connection.execute("SELECT k, v FROM meta WHERE k >= ? AND k < ?", (_PREFIX, _AFTER))
    return {k.removeprefix(_PREFIX): v for k, v in rows if isinstance(v, str)}


def write_notes(connection: sqlite3.Connection, notes: Mapping[str, str | None]) -> None:
    """Write notes in the caller's transaction; None removes one."""
    for name, text in notes.items():
        if text is None:
            connection.execute("DELETE FROM meta WHERE k = ?", (_PREFIX + name,))
        else:
            connection.execute(
                "INSERT OR REPLACE INTO meta(k, v) VALUES (?, ?)", (_PREFIX + name, text)
            )
