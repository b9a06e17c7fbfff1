"""The state of an index by source, or by folder: what is in it, what is not, and why."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edgeembed.ingest.coverage import message_of, source_of
from edgeembed.ingest.discover.found import Failure, LeftOut, is_below, place_of
from edgeembed.ingest.file_state import FileState
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed.ingest.sources import Memory
from edgeembed_runtime.errors import InputError


@dataclass(kw_only=True)
class FolderStatus:
    """What an index has of one source or folder.

    Attributes:
        name: as it was given, or its path below the folder that was asked for.
        is_there: whether it still is.
        when: of the last run on it, in seconds since 1970; None if nobody knows.
        files: that were read.
        passages: of them.
        pending: files of which not everything is in the index yet: the next run completes them.
        gone: files that are in the index, and not where they were.
        left_out: files, folders and parts of files that are not in the index, by reason.
        failed: files that could not be read, and parts of files that are damaged.
    """

    name: str
    is_there: bool = True
    when: int | None = None
    files: int = 0
    passages: int = 0
    pending: int = 0
    gone: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    failed: int = 0

    def add(self, file: FileState) -> None:
        """Count one file."""
        is_whole = any(not where for _, where, _ in file.left_out)
        self.files += not is_whole
        self.passages += file.passages
        self.pending += not file.sha256
        self.gone += not os.path.lexists(file.place)
        self.left_out.update(reason for reason, _, _ in file.left_out)
        self.failed += sum(reason == Reason.DAMAGED for reason, _, _ in file.left_out)


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of an index, or of one folder in it: by folder; and names, as many as are kept."""

    folders: tuple[FolderStatus, ...]
    left_out: tuple[LeftOut, ...]
    failed: tuple[str, ...]
    gone: tuple[str, ...]
    """Names of files that are not where they were."""


def status_of(memory: Memory, folder: Path | None = None) -> Status:
    """The state of an index by source; or of what is in one folder, by the folders in it.

    Raises:
        InputError: the index has nothing of the folder.
    """
    place = None if folder is None else place_of(folder)
    files = {n: f for n, f in memory.files.items() if place is None or is_below(f.place, place)}
    sources = memory.sources.values()
    left_out = [e for s in sources for e in s.left_out if place is None or is_below(e.place, place)]
    failed = [e for s in sources for e in s.failed if place is None or is_below(e.place, place)]
    if place is None:
        folders = _by_source(memory)
    elif files or left_out or failed:
        folders = _by_folder(place, str(folder), files.values(), left_out, failed)
    else:
        raise InputError(f"{folder}: expected a folder of the index, found nothing of it there")
    parts = [each for name, file in files.items() for each in file.parts_left_out(name)]
    damaged = [message_of(each) for each in parts if each.reason == Reason.DAMAGED]
    return Status(
        folders=tuple(folders),
        left_out=(*parts, *left_out),
        failed=(*(failure.message for failure in failed), *damaged),
        gone=tuple(name for name, file in files.items() if not os.path.lexists(file.place)),
    )


def _by_source(memory: Memory) -> list[FolderStatus]:
    found: dict[str | None, FolderStatus] = {}
    for place, source in memory.sources.items():
        found[place] = FolderStatus(
            name=source.given,
            is_there=source.is_there,
            when=source.when,
            left_out=Counter(source.counts),
            failed=source.failures,
        )
    for file in memory.files.values():
        place = source_of(file.place, memory.sources)
        found.setdefault(place, FolderStatus(name="(other files)")).add(file)
    return list(found.values())


def _by_folder(
    place: str,
    name: str,
    files: Iterable[FileState],
    left_out: Iterable[LeftOut],
    failed: Iterable[Failure],
) -> list[FolderStatus]:
    found: dict[str, FolderStatus] = {}

    def at(inner: str) -> FolderStatus:
        below = Path(os.path.relpath(inner, place)).parts
        key = os.path.join(name, below[0] if len(below) > 1 else "")  # noqa: PTH118
        return found.setdefault(key, FolderStatus(name=key))

    for file in files:
        at(file.place).add(file)
    for each in left_out:
        at(each.place).left_out[str(each.reason)] += 1
    for failure in failed:
        at(failure.place).failed += 1
    return [found[key] for key in sorted(found)]
