"""What a scan of files and folders gives: what is to be read, and what is left out."""

import os
from dataclasses import dataclass
from pathlib import Path

from edgeembed.ingest.readers.base.protocol import Reason


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file to index, and its name in the index: the path as given, so that it can be opened.

    `place` is its absolute path, with links in the folder that was given resolved; `below` its path
    below that folder, or "" if the file was named itself.
    """

    path: Path
    name: str
    below: str = ""
    place: str = ""

    def __post_init__(self) -> None:
        """Find the place, where nobody knew it."""
        if not self.place:
            object.__setattr__(self, "place", place_of_file(self.path))


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file or folder, or a part of a file, that is not in the index.

    Attributes:
        name: the file's or folder's path as given; that of a folder ends in a slash.
        reason: why.
        place: its absolute path, as in FoundFile; "" if nobody knows.
        where: which part of the file: `line 7`. "": all of it.
        detail: more in a few words: what was found, or how to have it read.
    """

    name: str
    reason: Reason
    place: str = ""
    where: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A file or folder that could not be read, or a part of one: its place, and a message."""

    place: str
    message: str


def unlisted(place: str, error: OSError) -> Failure:
    """That a folder could not be listed."""
    message = f"could not list the folder {place}: {error.strerror or error}"
    return Failure(place=place, message=message)


@dataclass(frozen=True, kw_only=True)
class FoundFiles:
    """The files of some sources: what is under `scanned` but not in `files` is not to be indexed.

    Attributes:
        files: each of them once, in a stable order.
        scanned: places of the files and folders that were looked at, with all that is in them.
        unreadable: folders that could not be listed, or whose rules could not be read, and why.
        left_out: what is there and not in `files`; below a folder in it, nothing was looked at.
        sources: the given files and folders, by place. Empty: a part of a folder was scanned.
        empty: places of given folders with nothing in them; they are not in `scanned`, as it may be
            that a disk is not there now.
        problems: what else went wrong: sources that are gone, rules that have no meaning.
    """

    files: tuple[FoundFile, ...]
    scanned: tuple[str, ...]
    unreadable: tuple[Failure, ...]
    left_out: tuple[LeftOut, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    empty: tuple[str, ...] = ()
    problems: tuple[Failure, ...] = ()


def place_of(source: Path) -> str:
    """The place of a source: a folder with links resolved, or a file as in FoundFile.place."""
    return os.path.realpath(source) if source.is_dir() else place_of_file(source)


def place_of_file(path: Path) -> str:
    """The absolute path of a file, which need not exist, with links in its folder resolved."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def place_below(root: Path, path: Path) -> str:
    """The place of a path in the folder `root`, links between them not resolved."""
    return os.path.normpath(os.path.join(os.path.realpath(root), path.relative_to(root)))  # noqa: PTH118


def is_below(place: str, folder: str) -> bool:
    """Whether a place is `folder` itself, or in it."""
    return place == folder or place.startswith(os.path.join(folder, ""))  # noqa: PTH118


def printable_name(path: Path | str) -> str:
    """A path as a name: what is not UTF-8 cannot be a key; escaped, it can be recognized."""
    text = path if isinstance(path, str) else path.as_posix()
    return os.fsencode(text).decode("utf-8", "backslashreplace")
