"""A file packed by gzip, bzip2 or xz."""

import bz2
import gzip
import lzma
from collections.abc import Iterator
from pathlib import PurePath

from edgeembed.ingest.readers.base.protocol import Block, Remark, SkippedError, Source
from edgeembed.ingest.readers.containers.unpacking import CHUNK, Within, chunks_of

_TARRED = {".tgz": ".tar", ".tbz2": ".tar", ".txz": ".tar"}
# A dictionary of xz may have 4 GB.
_XZ_MEMORY = 100 << 20


class PackedReader:
    """Reads what is packed by the reader for the name without the last suffix."""

    name = "packed file"
    suffixes: frozenset[str] = frozenset({".gz", ".bz2", ".xz", *_TARRED})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        path = PurePath(source.name)
        inner = path.stem + _TARRED.get(path.suffix.lower(), "")
        within = Within(source)
        with within.unpacked(source.name, _content(source)) as stream:
            for found in within(within.source(inner, stream)):
                if isinstance(found, Remark) and found.where == inner:
                    raise SkippedError(found.reason, found.detail)
                yield found


def _content(source: Source) -> Iterator[bytes]:
    beginning = source.stream.read(3)
    source.stream.seek(0)
    if beginning == b"BZh":
        yield from chunks_of(bz2.BZ2File(source.stream))
    elif beginning.startswith(b"\xfd7z"):
        yield from _xz(source)
    else:
        yield from chunks_of(gzip.GzipFile(fileobj=source.stream))


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
