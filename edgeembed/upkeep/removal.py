"""Takes files, and passages that fit a filter, out of an index together with what is noted."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeembed import Index
from edgeembed.ingest.coverage import SourceState, as_source_notes
from edgeembed.ingest.discover.found import is_below, place_of
from edgeembed.ingest.file_state import FileState, as_notes
from edgeembed.ingest.file_update import keys_of
from edgeembed.ingest.ownership import owner_of
from edgeembed.ingest.sources import Memory, read_memory
from edgeembed_runtime.errors import InputError

_BATCH = 10_000


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is to be taken out of an index.

    Attributes:
        keys: of the passages.
        files: what is remembered from then on of the files that lose passages; None: nothing.
        sources: the same of sources.
    """

    keys: tuple[str, ...]
    files: Mapping[str, FileState | None]
    sources: Mapping[str, SourceState | None]

    @property
    def gone(self) -> list[str]:
        """Names of files of which nothing stays."""
        return [name for name, file in self.files.items() if file is None]

    def apply(self, index: Index) -> None:
        """Take it out in one commit.

        Raises:
            IndexReadOnlyError, StorageError: nothing was changed.
        """
        notes = as_notes(self.files) | as_source_notes(self.sources)
        index.upsert([], documents=[], delete=self.keys, notes=notes)


def removal_of(
    index: Index, paths: Iterable[Path], where: Mapping[str, Any] | None = None
) -> Removal:
    """Plan to take out files and folders; or with `where` only their passages that fit.

    Args:
        index: open for reading or writing.
        paths: files and folders, there or gone, or names that the index has; none with `where`:
            all that fits.
        where: a filter as in Index.search.

    Raises:
        InputError: the index has nothing of a path, or the filter cannot be used.
    """
    memory = read_memory(index)
    places = [place_of(path) for path in paths]
    chosen = [_names_at(path, place, memory) for path, place in zip(paths, places, strict=True)]
    names = list(dict.fromkeys(name for each in chosen for name in each))
    if where is not None:
        return _partial(index, memory, names if chosen else None, where)
    return _whole(index, memory, names, places)


def removal_of_gone(index: Index) -> Removal:
    """Plan to take out every file that is not where it was."""
    memory = read_memory(index)
    names = [name for name, file in memory.files.items() if not os.path.lexists(file.place)]
    places = [place for place, source in memory.sources.items() if not source.is_there]
    return _whole(index, memory, names, places)


def _whole(index: Index, memory: Memory, names: list[str], places: list[str]) -> Removal:
    forgotten = [p for p in memory.sources if any(is_below(p, place) for place in places)]
    keys = {key: None for name in names for key in _keys_of(index, name)}
    return Removal(keys=tuple(keys), files=dict.fromkeys(names), sources=dict.fromkeys(forgotten))


def _partial(
    index: Index, memory: Memory, names: list[str] | None, where: Mapping[str, Any]
) -> Removal:
    keys: list[str] = []
    files: dict[str, FileState | None] = {}
    for batch in index.batches(_BATCH, where=where):
        for document in batch.documents:
            owner = _owner(document.key, memory.files)
            if names is not None and owner not in names:
                continue
            keys.append(document.key)
            if owner is not None:
                left = files.get(owner) or memory.files[owner]
                files[owner] = left.with_fewer(1)
    return Removal(keys=tuple(keys), files=files, sources={})


def _keys_of(index: Index, name: str) -> Iterator[str]:
    if name in index:  # an image is its own passage
        yield name
    yield from keys_of(index, name)


def _owner(key: str, names: Mapping[str, FileState]) -> str | None:
    return key if key in names else owner_of(key, names)


def _names_at(path: Path, place: str, memory: Memory) -> list[str]:
    found = memory.files_below(place) or [name for name in memory.files if name == str(path)]
    if not found and not any(is_below(source, place) for source in memory.sources):
        raise InputError(
            f"{path}: expected a file or folder that the index has, found nothing of it; "
            f"`edgeembed status` lists its folders"
        )
    return found
