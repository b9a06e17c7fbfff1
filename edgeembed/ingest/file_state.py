"""The state of every indexed file, kept in the index so that only changed files are read again."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from edgeembed import Encoder, Index
from edgeembed.ingest.files import FoundFile, FoundFiles
from edgeembed.ingest.passages import PassageReader
from edgeembed_runtime.storage import sha256_file, storage_errors

_NOTE = "file:"
# Raise it when chunking changes, so that all files are chunked again.
_CUT_VERSION = 3
# The coarsest file system clock (FAT): a file that changed within this time can change again
# without a new mtime.
_SETTLED_NS = 2_000_000_000
_UNSETTLED = -1


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

    def unfinished(self) -> "FileState":
        """The same, marked as not fully indexed: to be read again."""
        return replace(self, sha256="")

    def is_unchanged(self, now: "FileState") -> bool:
        """Whether the file need not be read: size, mtime, place and settings are equal."""
        return bool(self.sha256) and replace(now, sha256=self.sha256) == self

    def has_same_content(self, now: "FileState") -> bool:
        """Whether the file need not be chunked: content, place and settings are equal."""
        return bool(self.sha256) and replace(self, size=now.size, mtime_ns=now.mtime_ns) == now


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
        sha256="",
        settings=settings.passages,
        model=settings.model,
    )


def settled(file: FileState) -> FileState:
    """The state to remember: without an mtime that is too recent to reveal later changes."""
    young = file.mtime_ns + _SETTLED_NS > time.time_ns()
    return replace(file, mtime_ns=_UNSETTLED) if young else file


def content_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        StorageError: it cannot be read.
    """
    with storage_errors("read", path):
        return sha256_file(path)


def read_file_states(index: Index) -> dict[str, FileState]:
    """The states that an index remembers, by file name; damaged ones count as forgotten."""
    noted = {n.removeprefix(_NOTE): t for n, t in index.notes().items() if n.startswith(_NOTE)}
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
    was_scanned, is_unreadable = _under(found.scanned), _under(found.unreadable)
    return [
        name
        for name, file in known.items()
        if name not in present and was_scanned(file.place) and not is_unreadable(file.place)
    ]


def _under(places: Iterable[str]) -> Callable[[str], bool]:
    """A predicate: whether a place is one of `places` or below one."""
    exactly = frozenset(places)
    below = tuple(os.path.join(place, "") for place in exactly)  # noqa: PTH118
    return lambda place: place in exactly or place.startswith(below)


def _fingerprint(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _parsed(text: str) -> FileState | None:
    try:
        tree = json.loads(text)
        file = FileState(**cast("dict[str, Any]", tree))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (file.place, file.sha256, file.settings, file.model)
    sound = all(isinstance(text, str) for text in texts)  # pyright: ignore[reportUnnecessaryIsInstance]
    return file if sound else None
