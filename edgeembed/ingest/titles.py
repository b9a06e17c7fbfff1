"""What a passage is about beyond its text: folders, file name and headings, in one line."""

import re
from collections.abc import Iterable
from pathlib import PurePath

SEPARATOR = " > "
_MAX_PART = 120
_MAX_FOLDERS = 3
# "lisbon_trip" and "lisbon-trip" are words; "2024-07" stays.
_BETWEEN_WORDS = re.compile(r"_+|(?<=[^\W\d_])-+(?=[^\W\d_])")


def file_title(name: str) -> str:
    """A file's name without suffix, as words."""
    return _words(PurePath(name).stem)


def folder_title(folder: str) -> str:
    """The folders of a file, below the one that is indexed, as words: "Portugal > Lisbon trip".

    The last three: they are what people search by.
    """
    words = [_words(part) for part in PurePath(folder).parts[-_MAX_FOLDERS:]]
    return joined_title("", words)


def _words(name: str) -> str:
    return " ".join(_BETWEEN_WORDS.sub(" ", name).split())


def joined_title(title: str, headings: Iterable[str]) -> str:
    """Join a document's title and the headings above a passage: "Lisbon trip > Getting there".

    A part that only repeats the one before it is left out, and long ones are shortened.
    """
    kept: list[str] = []
    for part in (title, *headings):
        short = part[:_MAX_PART].strip()
        if short and (not kept or short.casefold() != kept[-1].casefold()):
            kept.append(short)
    return SEPARATOR.join(kept)
