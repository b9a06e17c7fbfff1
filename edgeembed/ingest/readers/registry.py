"""Which reader reads a file: by its suffix, then by its first bytes; readers of one's own."""

import importlib
import os
import stat
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePath
from typing import IO, BinaryIO, cast

from edgeembed.ingest.readers.base.protocol import (
    Block,
    Reader,
    ReadingSettings,
    Reason,
    Remark,
    SkippedError,
    Source,
)
from edgeembed.ingest.readers.isolated.reading import IsolatedReading
from edgeembed.ingest.readers.kinds import (
    BEGINNING,
    KINDS,
    SOURCE_CODE,
    TEXT,
    Kind,
    magic_of,
    other_kind,
    unread_kind,
)
from edgeembed_runtime.errors import EdgeEmbedError, InputError, MissingExtraError

_by_name = {kind.name: kind for kind in KINDS}
_by_suffix = {suffix: kind for kind in KINDS for suffix in kind.suffixes}
_own: dict[str, Reader] = {}  # by suffix
# Formats that are zip files or OLE files inside: there the suffix says more than the first bytes.
_ZIPPED = frozenset({"Word", "PowerPoint", "spreadsheet", "OpenDocument", "EPUB"})
# What else is in a file of these names is often a text, or the page of an error.
_NEVER_TEXT = frozenset({"PDF", "Word", "PowerPoint", "EPUB", "RTF"})
_TEXT_BYTES = bytes(n for n in range(256) if n >= 32 or n in (9, 10, 12, 13))
_NONBLOCK = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def register_reader(reader: Reader) -> None:
    """Have files read by a reader of one's own; it is asked before the built-in ones.

    Raises:
        InputError: it lacks a name, suffixes, a version, or a method `read`, or its name or a
            suffix is that of a reader registered before.
    """
    checked = _checked(reader)
    taken = {each.name for each in _own.values()} | _by_name.keys()
    if checked.name in taken:
        raise InputError(f"name: expected one that is not taken, got {checked.name!r}")
    for suffix in sorted(checked.suffixes):
        if suffix in _own:
            raise InputError(f"suffixes: {suffix} is read by {_own[suffix].name!r} already")
    _own.update(dict.fromkeys(checked.suffixes, checked))


def read_file(path: Path, settings: ReadingSettings) -> Iterator[Block | Remark]:
    """Yield the text of a file on disk; readers that are not trusted run in a process of their own.

    Raises:
        SkippedError: it has no text that can be had.
        StorageError, OSError: it cannot be read.
    """
    # A pipe that nobody writes to would be waited for.
    descriptor = os.open(path, os.O_RDONLY | _NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SkippedError(Reason.SPECIAL, "no plain file")
        reader = reader_of(path.name, _beginning(stream))
        if reader.trusted:
            source = Source(
                name=path.name,
                stream=cast("BinaryIO", stream),
                size=status.st_size,
                settings=settings,
                read_inner=_read_inner,
            )
            yield from _guarded(reader.read(source))
            return
    yield from _guarded(_isolated().read(path, _reference(reader), settings))


def read_inner_here(source: Source) -> Iterator[Block | Remark]:
    """Read a source within another in this process, which is one that may die."""
    yield from _remarked(source, lambda reader: reader.read(source))


def _read_inner(source: Source) -> Iterator[Block | Remark]:
    def read(reader: Reader) -> Iterator[Block | Remark]:
        if reader.trusted:
            return reader.read(source)
        return _isolated().read_source(source, _reference(reader))

    yield from _remarked(source, read)


def _remarked(
    source: Source, read: Callable[[Reader], Iterator[Block | Remark]]
) -> Iterator[Block | Remark]:
    """What `read` gives of a source within another; if it cannot be read, a remark."""
    if source.depth > source.settings.max_depth:
        detail = f"files within files, more than {source.settings.max_depth} deep"
        yield Remark(reason=Reason.TOO_LARGE, where=source.name, detail=detail)
        return
    try:
        reader = reader_of(source.name, _beginning(source.stream))
        yield from _guarded(read(reader))
    except SkippedError as error:
        yield Remark(reason=error.reason, where=source.name, detail=error.detail)
    except (EdgeEmbedError, OSError) as error:
        yield Remark(reason=Reason.DAMAGED, where=source.name, detail=str(error)[:300])


def _guarded(found: Iterator[Block | Remark]) -> Iterator[Block | Remark]:
    """The same; what a reader does not say itself is said as a SkippedError."""
    try:
        yield from found
    except MissingExtraError as error:
        raise SkippedError(Reason.NO_READER, _pip_line(error)) from error
    except (EdgeEmbedError, OSError):
        raise
    except Exception as error:  # a library met what its authors had not thought of
        raise SkippedError(Reason.DAMAGED, f"{type(error).__name__}: {error}"[:300]) from error


@cache
def _isolated() -> IsolatedReading:
    """The process that reads strangers' files; it ends with this one."""
    return IsolatedReading(inner=f"{__name__}:{read_inner_here.__name__}")


def _reference(reader: Reader) -> str:
    return f"{type(reader).__module__}:{type(reader).__qualname__}"


def _beginning(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    beginning = stream.read(BEGINNING)
    stream.seek(0)
    return beginning


def reader_of(name: str, beginning: bytes) -> Reader:
    """The reader for a file of this name that begins so.

    Raises:
        SkippedError: it is no text, or of a kind that no reader here reads.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix in _own:
        return _own[suffix]
    known = _by_suffix.get(suffix)
    magic = magic_of(beginning)
    if magic in _by_name and not (known is not None and _fits(known, magic)):
        known = _by_name[magic]
    elif magic is not None and magic not in _by_name:
        raise SkippedError(Reason.NOT_TEXT, magic)
    elif magic is None and known and known.name in _NEVER_TEXT and _is_text(beginning):
        known = _by_name["HTML"] if beginning.lstrip().startswith(b"<") else TEXT
    elif known is None:
        if what := other_kind(suffix):
            raise SkippedError(Reason.NOT_TEXT, what)
        if how := unread_kind(suffix, beginning):
            raise SkippedError(Reason.NO_READER, how)
        known = SOURCE_CODE if not suffix and beginning.startswith(b"#!") else TEXT
    return _loaded(known)


def reader_stamp(name: str) -> str:
    """What the text of a file depends on besides its bytes: its reader, and the reader's version.

    A file whose stamp is another one than before is to be read again.
    """
    suffix = PurePath(name).suffix.lower()
    try:
        reader = _own.get(suffix) or _loaded(_by_suffix.get(suffix, TEXT))
    except SkippedError:
        return ""
    return f"{reader.name} {reader.version}"


def _is_text(beginning: bytes) -> bool:
    return bool(beginning.strip()) and not beginning.translate(None, _TEXT_BYTES)


def _fits(known: Kind, magic: str | None) -> bool:
    """Whether a suffix is believed, although the first bytes alone would say something else."""
    return known.name == magic or (magic == "zip" and known.name in _ZIPPED)


def _loaded(kind: Kind) -> Reader:
    try:
        return getattr(importlib.import_module(kind.module), kind.reader)()
    except ImportError as error:
        raise SkippedError(
            Reason.NO_READER, f"{kind.name}: pip install 'edgeembed[documents]'"
        ) from error


def _pip_line(error: MissingExtraError) -> str:
    """`Run: pip install ...` as it stands in a table."""
    return str(error).replace(" needs the extra 'documents'. Run:", ":")


def _checked(reader: Reader) -> Reader:
    for name, kind in (("name", str), ("suffixes", frozenset), ("version", int), ("trusted", bool)):
        found = getattr(reader, name, None)
        if not isinstance(found, kind) or found in ("", frozenset()):
            raise InputError(f"{name}: expected {kind.__name__}, got {found!r}")
    if not callable(getattr(reader, "read", None)):
        raise InputError("read: expected a method, got nothing")
    bad = [s for s in reader.suffixes if not s.startswith(".") or s != s.lower()]
    if bad:
        raise InputError(f"suffixes: expected '.name' in lower case, got {bad[0]!r}")
    return reader
