"""The sources of an index: which files and folders it is of, and whether they are still there."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeembed import Index
from edgeembed.ingest.coverage import SourceState, read_source_states
from edgeembed.ingest.discover.found import Failure, FoundFiles, is_below, place_of
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.file_state import FileState, read_file_states
from edgeembed.ingest.files import scan
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What an index remembers of its files, by name, and of its sources, by place."""

    files: Mapping[str, FileState]
    sources: Mapping[str, SourceState]

    def files_below(self, place: str) -> list[str]:
        """Names of the files at a place, or in it."""
        return [name for name, file in self.files.items() if is_below(file.place, place)]


NOTHING = Memory(files={}, sources={})


def read_memory(index: Index) -> Memory:
    """What an index remembers."""
    notes = index.notes()
    return Memory(files=read_file_states(notes), sources=read_source_states(notes))


def look(sources: Iterable[Path], settings: WalkSettings, memory: Memory) -> FoundFiles:
    """Find the files of all sources, as `scan` does, and judge what was indexed and is gone.

    A file that is gone is told like one that is gone from a folder. A folder may be on a disk that
    is not there now: it becomes a problem, and what the index has of it stays.

    Raises:
        InputError: a source does not exist, and the index knows nothing of it; or none does.
        StorageError: the file system cannot tell whether it does.
    """
    there: list[Path] = []
    gone: list[str] = []
    problems: list[Failure] = []
    for source in sources:
        with storage_errors("read", source):
            exists = source.exists()
        place = place_of(source)
        known = [] if exists else memory.files_below(place)
        if not known:
            there.append(source)
        elif _is_gone_file(place, known, memory):
            gone.append(place)
        else:
            message = f"{source}: expected a file or a folder, found nothing; {_still(len(known))}"
            problems.append(Failure(place=place, message=message))
    if problems and not there and not gone:
        raise InputError(problems[0].message)
    found = scan(there, settings)
    return replace(found, scanned=(*found.scanned, *gone), problems=(*found.problems, *problems))


def source_remarks(found: FoundFiles, memory: Memory) -> list[str]:
    """What to tell of the sources of an index after a run on `found`: which are gone, or empty."""
    given = dict(found.sources)
    told = {failure.place for failure in found.problems}
    empty = [(given[place], len(memory.files_below(place))) for place in found.empty]
    gone = [(s.given, count) for s, count in gone_sources(memory) if s.place not in told]
    return [
        *(f"{name}: is empty now; {_still(count)}" for name, count in empty if count),
        *(f"{name}: is not there any more; {_still(count)}" for name, count in gone if count),
    ]


def gone_sources(memory: Memory) -> list[tuple[SourceState, int]]:
    """Sources that are not there any more, and how many of their files are in the index."""
    gone = [source for source in memory.sources.values() if not source.is_there]
    return [(source, len(memory.files_below(source.place))) for source in gone]


def _is_gone_file(place: str, known: list[str], memory: Memory) -> bool:
    """Whether exactly one file was there, whose folder still is."""
    is_one = len(known) == 1 and memory.files[known[0]].place == place
    return is_one and os.path.isdir(os.path.dirname(place))  # noqa: PTH112, PTH120


def _still(count: int) -> str:
    files = "1 file of it is" if count == 1 else f"{count} files of it are"
    return f"{files} still in the index; `edgeembed prune` removes what is gone"
