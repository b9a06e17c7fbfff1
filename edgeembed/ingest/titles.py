"""What a passage is about beyond its text: folders, file name and headings, in one line."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

_SEPARATOR = " > "
# More of a path says where a computer's owner keeps things, not what a passage is about.
_FOLDERS = 2
_MAX_PART = 120
# "lisbon_trip" and "lisbon-trip" are words; "2024-07" stays.
_BETWEEN_WORDS = re.compile(r"_+|(?<=[^\W\d_])-+(?=[^\W\d_])")


def file_title(name: str) -> tuple[str, ...]:
    """The last two folders of a file's path and its name without suffix, as words."""
    path = PurePath(name)
    folders = [part for part in path.parts[:-1] if part not in (path.anchor, ".", "..")]
    parts = [*folders[-_FOLDERS:], path.stem]
    return tuple(" ".join(_BETWEEN_WORDS.sub(" ", part).split()) for part in parts)


def joined_title(parts: Sequence[str], headings: Iterable[str]) -> str:
    """Join a document's title and the headings above a passage: "Portugal > Trip > Getting there".

    A part that only repeats the one before it is left out, and long ones are shortened.
    """
    kept: list[str] = []
    for part in (*parts, *headings):
        short = part[:_MAX_PART].strip()
        if short and (not kept or short.casefold() != kept[-1].casefold()):
            kept.append(short)
    return _SEPARATOR.join(kept)
