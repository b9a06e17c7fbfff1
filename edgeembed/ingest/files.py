"""Scans files and folders for what is to be indexed."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgeembed.ingest.discover.found import (
    Failure,
    FoundFile,
    FoundFiles,
    place_below,
    place_of,
    unlisted,
)
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.discover.walk import Walk, named_file
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors

_USUAL = WalkSettings()


def scan(sources: Iterable[Path], settings: WalkSettings = _USUAL) -> FoundFiles:
    """Find the files of all sources, each of them once.

    Raises:
        InputError: a source does not exist.
        StorageError: the file system cannot tell whether it does.
    """
    given, walk = list(sources), Walk(settings)
    # A folder may be given twice, by two names; its files keep the first.
    files: dict[str, FoundFile] = {}
    for file in _files_of(given, walk):
        files.setdefault(file.place, file)
    places = tuple(place_of(source) for source in given)
    empty = {place for place, source in zip(places, given, strict=True) if _is_empty(source)}
    return FoundFiles(
        files=tuple(files.values()),
        scanned=tuple(place for place in places if place not in empty),
        empty=tuple(empty),
        unreadable=tuple(walk.unreadable),
        left_out=tuple(walk.left_out),
        sources=tuple(zip(places, map(str, given), strict=True)),
        problems=tuple(walk.problems),
    )


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def scan_below(root: Path, paths: Iterable[Path], settings: WalkSettings = _USUAL) -> FoundFiles:
    """Find what is at or below some paths in the folder `root`, as scan([root]) would."""
    walk = Walk(settings)
    files: dict[str, FoundFile] = {}
    scanned: list[str] = []
    unreadable: list[Failure] = []
    for path in paths:
        place = place_below(root, path)
        try:
            found = walk.at(root, path)
            if found is None:
                continue
            files.update({file.name: file for file in found})
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            unreadable.append(unlisted(place, error))
        scanned.append(place)
    return FoundFiles(
        files=tuple(files.values()),
        scanned=tuple(scanned),
        unreadable=(*unreadable, *walk.unreadable),
        left_out=tuple(walk.left_out),
        problems=tuple(walk.problems),
    )


def find_files(sources: Iterable[Path], settings: WalkSettings = _USUAL) -> Iterator[FoundFile]:
    """Yield every file given, and every file of every folder given, in a stable order.

    Raises:
        InputError: a source does not exist.
        StorageError: the file system cannot tell whether it does.
    """
    return _files_of(sources, Walk(settings))


def _files_of(sources: Iterable[Path], walk: Walk) -> Iterator[FoundFile]:
    for source in sources:
        with storage_errors("read", source):
            is_folder, is_file = source.is_dir(), source.is_file()
        if is_folder:
            yield from walk.below(source)
        elif is_file:
            yield named_file(source)
        else:
            found = "a special file" if source.exists() else "nothing"
            raise InputError(f"{source}: expected a file or a folder, found {found}")
    yield from walk.links()
