"""Names of the documents within a file, as they stand in keys."""

import hashlib
import unicodedata

_MAX_PART = 200


def part_name(name: str) -> str:
    """A name from a file as a part of keys: one line, without folders above, of bounded length.

    Names that differ stay different, but for control characters and empty folders.
    """
    parts = name.replace("\\", "/").split("/")
    kept = "/".join(part for part in parts if part not in ("", ".", ".."))
    shown = "".join(c for c in kept if unicodedata.category(c) not in ("Cc", "Cs")).strip()
    if len(shown) > _MAX_PART:
        digest = hashlib.sha256(shown.encode()).hexdigest()[:16]
        shown = f"{shown[: _MAX_PART - 17]}~{digest}"
    # A colon in front is the mark of a line.
    return f"%3A{shown[1:]}" if shown.startswith(":") else shown or "%"


def line_part(line: int, nth: int = 0) -> str:
    """The part of a record without a name of its own: `file:LINE`, where others are `file/part`.

    `nth`: how many such records begin on the line before it.
    """
    return f":{line}.{nth}" if nth else f":{line}"


def joined_part(outer: str, inner: str) -> str:
    """A part of a part: an attachment's entry."""
    if not outer or not inner:
        return outer or inner
    return outer + inner if inner.startswith(":") else f"{outer}/{inner}"
