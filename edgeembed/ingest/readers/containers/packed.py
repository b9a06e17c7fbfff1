"""A file packed by gzip, bzip2 or xz."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import PurePath

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.containers.unpacking import CHUNK, Within, chunks_of

_TARRED = {".tgz": ".tar", ".tbz2": ".tar", ".txz": ".tar"}
# A dictionary of xz may have 4 GB.
_XZ_MEMORY = 100 << 20


class PackedReader:
    """Reads what is packed by the reader for the name without the last suffix."""

    name = "packed file"
    suffixes: frozenset[str] = frozenset({".gz", ".bz2", ".xz", *_TARRED})
    version = 2
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        path = PurePath(source.name)
        inner = path.stem + _TARRED.get(path.suffix.lower(), "")
        within = Within(source)
        content = _Content(source)
        with within.unpacked(source.name, content) as stream:
            for found in within(within.source(inner, stream)):
                if isinstance(found, Remark) and found.where == inner:
                    if content.problem:
                        raise SkippedError(Reason.DAMAGED, f"{source.name} {content.problem}")
                    raise SkippedError(found.reason, found.detail)
                yield found
        if content.problem:
            yield Remark(reason=Reason.DAMAGED, where="the end", detail=content.problem)


class _Content:
    """The bytes of a packed file, up to where it is damaged: a log may still be written to."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.problem = ""
        """What is wrong behind the bytes that were given."""

    def __iter__(self) -> Iterator[bytes]:
        given = False
        try:
            for chunk in _unpacked(self._source):
                given = True
                yield chunk
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            if not given:
                raise
            self.problem = f"cannot be unpacked: {error}"[:200]


def _unpacked(source: Source) -> Iterator[bytes]:
    beginning = source.stream.read(3)
    source.stream.seek(0)
    if beginning == b"BZh":
        yield from _pieces_of(bz2.BZ2File(source.stream))
    elif beginning.startswith(b"\xfd7z"):
        yield from _xz(source)
    else:
        yield from _pieces_of(gzip.GzipFile(fileobj=source.stream, mode="rb"))


def _pieces_of(stream: gzip.GzipFile | bz2.BZ2File) -> Iterator[bytes]:
    """The bytes of a stream as they are unpacked: what stands before damage is given."""
    while chunk := stream.read1(CHUNK):
        yield chunk


def _xz(source: Source) -> Iterator[bytes]:
    unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
    for data in chunks_of(source.stream):
        given = data
        while True:
            if unpacker.eof:  # files may be put one behind the other
                given = unpacker.unused_data + given
                if not given.strip(b"\0"):
                    break
                unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            if chunk := unpacker.decompress(given, CHUNK):
                yield chunk
            given = b""
            if unpacker.needs_input:
                break
    if not unpacker.eof:
        raise EOFError("it ends in the middle")
