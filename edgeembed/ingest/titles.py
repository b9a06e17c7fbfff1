"""What a passage is about beyond its text: file name and headings, in one line."""

import re
from collections.abc import Iterable
from pathlib import PurePath

_SEPARATOR = " > "
_MAX_PART = 120
# "lisbon_trip" and "lisbon-trip" are words; "2024-07" stays.
_BETWEEN_WORDS = re.compile(r"_+|(?<=[^\W\d_])-+(?=[^\W\d_])")


def file_title(name: str) -> str:
    """A file's name without suffix, as words.

    Without folders: a folder that moves does not change what its files are about.
    """
    return " ".join(_BETWEEN_WORDS.sub(" ", PurePath(name).stem).split())


def joined_title(title: str, headings: Iterable[str]) -> str:
    """Join a document's title and the headings above a passage: "Lisbon trip > Getting there".

    A part that only repeats the one before it is left out, and long ones are shortened.
    """
    kept: list[str] = []
    for part in (title, *headings):
        short = part[:_MAX_PART].strip()
        if short and (not kept or short.casefold() != kept[-1].casefold()):
            kept.append(short)
    return _SEPARATOR.join(kept)
