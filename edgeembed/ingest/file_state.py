"""The state of every indexed file, kept in the index so that only changed files are read again."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from edgeembed import Encoder
from edgeembed.export.outputs import wrote
from edgeembed.ingest.discover.found import FoundFile, FoundFiles, LeftOut
from edgeembed.ingest.passages import PassageReader
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed.ingest.readers.registry import reader_stamp
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.storage import storage_errors

_NOTE = "file:"
# Raise it when chunking or titles change, so that all files are chunked again.
_CUT_VERSION = 4
# The coarsest file system clock (FAT): a file that changed within this time can change again
# without a new mtime.
_SETTLED_NS = 2_000_000_000
_UNSETTLED = -1
# Of what is left out of one file, so many parts are remembered, in so many characters each.
_MAX_PARTS, _MAX_DETAIL = 50, 300


@dataclass(frozen=True, kw_only=True)
class FileState:
    """A file as it was when its passages went into the index; stored there as a note."""

    place: str
    size: int
    mtime_ns: int
    sha256: str
    """Empty while not all of its passages are in the index."""
    settings: str
    """A fingerprint of what its passages depend on besides the file."""
    model: str
    """A fingerprint of what their vectors depend on besides their texts."""
    ctime_ns: int = 0
    """When its content, name or permissions changed; no program can set it back, unlike mtime."""
    inode: int = 0
    passages: int = 0
    """How many of it are in the index."""
    left_out: tuple[tuple[str, str, str], ...] = ()
    """Reason, where ("" for the whole file) and detail of what is not; the first ones of many."""
    left_out_count: int = 0

    def unfinished(self) -> "FileState":
        """The same, marked as not fully indexed: to be read again."""
        return replace(self, sha256="")

    def is_unchanged(self, now: "FileState") -> bool:
        """Whether the file need not be read: nothing that the file system tells differs."""
        return bool(self.sha256) and self._told() == now._told()

    def has_same_content(self, now: "FileState") -> bool:
        """Whether the file need not be chunked: content, place and settings are equal."""
        return bool(self.sha256) and self._meant() == now._meant()

    def outcome_of(self, before: "FileState") -> "FileState":
        """The same, with what came of reading that content before."""
        return replace(
            self,
            passages=before.passages,
            left_out=before.left_out,
            left_out_count=before.left_out_count,
        )

    def without(self, left_out: Sequence[LeftOut]) -> "FileState":
        """The same, when these parts of it were left out, too."""
        listed = [(str(each.reason), each.where, each.detail[:_MAX_DETAIL]) for each in left_out]
        return replace(
            self,
            left_out=(*self.left_out, *listed)[:_MAX_PARTS],
            left_out_count=self.left_out_count + len(listed),
        )

    def with_fewer(self, passages: int) -> "FileState":
        """The same, with so many passages less in the index, which is as it should be."""
        return replace(self, passages=max(self.passages - passages, 0))

    def parts_left_out(self, name: str) -> list[LeftOut]:
        """What is left out of the file, which is called `name`."""
        return [
            LeftOut(name=name, place=self.place, reason=Reason(why), where=where, detail=detail)
            for why, where, detail in self.left_out
        ]

    def _told(self) -> tuple[object, ...]:
        times = (self.mtime_ns, self.ctime_ns, self.inode)
        return (self.place, self.size, *times, self.settings, self.model)

    def _meant(self) -> tuple[object, ...]:
        return (self.place, self.sha256, self.settings, self.model)


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """Fingerprints of what passages and their vectors depend on besides the files."""

    passages: str
    model: str


def fingerprints_of(reader: PassageReader) -> Fingerprints:
    """The fingerprints of how `reader` chunks files, and of its model."""
    encoder: Encoder = reader.encoder
    chunks = reader.chunks
    model = [encoder.space, encoder.variant]
    cut = [chunks.tokens(encoder), chunks.overlap(encoder), encoder.max_tokens, reader.text_field]
    return Fingerprints(
        passages=_fingerprint([_CUT_VERSION, *cut, *model]), model=_fingerprint(model)
    )


def stat_file(file: FoundFile, settings: Fingerprints) -> FileState:
    """The state of a file now, without reading it: the hash is empty.

    Raises:
        StorageError: the file cannot be examined.
    """
    with storage_errors("read", file.path):
        status = file.path.stat()
    return FileState(
        place=file.place,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        sha256="",
        settings=f"{settings.passages} {reader_stamp(file.name)}",
        model=settings.model,
    )


def settled(file: FileState) -> FileState:
    """The state to remember: without an mtime that is too recent to reveal later changes."""
    young = file.mtime_ns + _SETTLED_NS > time.time_ns()
    return replace(file, mtime_ns=_UNSETTLED) if young else file


def examined(path: Path) -> tuple[str, bool]:
    """SHA-256 of a file, and whether a command of edgeembed wrote it: in one opening.

    Raises:
        StorageError: it cannot be read.
    """
    with storage_errors("read", path), open_plain_file(path, follow_links=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), wrote(file, path)


def read_file_states(notes: Mapping[str, str]) -> dict[str, FileState]:
    """The states in the notes of an index, by file name; damaged ones count as forgotten."""
    noted = {n.removeprefix(_NOTE): t for n, t in notes.items() if n.startswith(_NOTE)}
    parsed = {name: _parsed(text) for name, text in noted.items()}
    return {name: file for name, file in parsed.items() if file is not None}


def as_notes(files: Mapping[str, FileState | None]) -> dict[str, str | None]:
    """File states by name as notes for an index; None forgets a file."""
    return {
        _NOTE + name: None if file is None else json.dumps(asdict(file))
        for name, file in files.items()
    }


def gone_files(known: Mapping[str, FileState], found: FoundFiles) -> list[str]:
    """Names of indexed files that a scan should have found and did not."""
    present = {file.name for file in found.files}
    was_scanned, is_unreadable = (
        _under(found.scanned),
        _under(each.place for each in found.unreadable),
    )
    return [
        name
        for name, file in known.items()
        if name not in present and was_scanned(file.place) and not is_unreadable(file.place)
    ]


def _under(places: Iterable[str]) -> Callable[[str], bool]:
    """A predicate: whether a place is one of `places` or below one."""
    known = frozenset(places)

    def is_under(place: str) -> bool:
        above = ""
        while place != above:
            if place in known:
                return True
            place, above = os.path.dirname(place), place  # noqa: PTH120
        return False

    return is_under


def _fingerprint(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _parsed(text: str) -> FileState | None:
    try:
        tree = json.loads(text)
        file = FileState(**cast("dict[str, Any]", tree))
        parts = tuple((str(Reason(why)), str(at), str(more)) for why, at, more in file.left_out)
        numbers = [int(n) for n in (file.size, file.passages, file.left_out_count)]
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (file.place, file.sha256, file.settings, file.model)
    sound = all(isinstance(text, str) for text in texts) and min(numbers) >= 0  # pyright: ignore[reportUnnecessaryIsInstance]
    return replace(file, left_out=parts) if sound else None
