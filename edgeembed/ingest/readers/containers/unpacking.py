"""Unpacks what is in a file within bounds that all of its contents share, at any depth."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import PurePath
from typing import IO, Any, cast

from edgeembed.ingest.readers.base.parts import joined_part, part_name
from edgeembed.ingest.readers.base.protocol import (
    Block,
    ReadingSettings,
    Reason,
    Remark,
    SkippedError,
    Source,
)

_FREE = 1 << 20
"""Bytes that any file may unpack to, whatever its ratio."""
_IN_MEMORY = 1 << 22
CHUNK = 1 << 16


class Budget:
    """What may still be unpacked of one file on disk; its readers within share it."""

    def __init__(self, size: int, settings: ReadingSettings) -> None:
        """`size`: of the file on disk, in bytes."""
        self._bytes = min(settings.max_unpacked, _FREE + settings.max_ratio * size)
        self._limit = self._bytes
        self._entries = settings.max_entries
        self._max_entries = settings.max_entries
        self.spent: bool = False

    def take(self, count: int) -> None:
        """Pay for some bytes.

        Raises:
            SkippedError: there are not so many left.
        """
        self._bytes -= count
        if self._bytes < 0:
            self.spent = True
            raise SkippedError(Reason.TOO_LARGE, f"unpacks to more than {self._limit >> 20} MB")

    def take_entry(self) -> None:
        """Pay for a document within.

        Raises:
            SkippedError: there were too many.
        """
        self._entries -= 1
        if self._entries < 0:
            self.spent = True
            raise SkippedError(Reason.TOO_LARGE, f"more than {self._max_entries} files in it")


class Within:
    """Reads sources within a file: `read_inner` of a source, with the budget that they share."""

    def __init__(self, source: Source, size: int | None = None) -> None:
        """Share the budget of the file that `source` is within, if it is in one.

        Args:
            source: whose contents are read.
            size: of the part of it that is packed, if that is not all of it.
        """
        outer = source.read_inner
        self.budget: Budget
        if isinstance(outer, Within):
            self.budget, self._read = outer.budget, outer._read
        else:
            self.budget, self._read = Budget(size or source.size, source.settings), outer
        self._source = source

    def __call__(self, inner: Source, /) -> Iterator[Block | Remark]:
        """See `Source.read_inner`."""
        return self._read(inner)

    def entry(self, name: str, chunks: Iterable[bytes]) -> Iterator[Block | Remark]:
        """Unpack and read one document; its blocks have its name as their part.

        What goes wrong with it is a remark; look at `budget.spent` before the next one.
        """
        part = part_name(name)
        try:
            self.budget.take_entry()
            with self.unpacked(name, chunks) as stream:
                for found in self(self.source(name, stream)):
                    if isinstance(found, Remark):
                        where = part if found.where == name else f"{part}, {found.where}"
                        yield replace(found, where=where)
                    else:
                        title = found.title or PurePath(part).stem
                        yield replace(found, title=title, part=joined_part(part, found.part))
        except SkippedError as error:
            yield Remark(reason=error.reason, where=part, detail=error.detail)

    def unpacked(self, name: str, chunks: Iterable[bytes]) -> IO[bytes]:
        """The bytes of a document as a stream, on disk if they are many.

        Raises:
            SkippedError: there are too many, or they cannot be unpacked.
        """
        stream = cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
        try:
            for chunk in chunks:
                self.budget.take(len(chunk))
                stream.write(chunk)
        except SkippedError:
            stream.close()
            raise
        except Exception as error:  # of zipfile, tarfile, zlib, lzma
            stream.close()
            detail = f"{name} cannot be unpacked: {error}"
            raise SkippedError(Reason.DAMAGED, detail[:200]) from error
        return stream

    def source(self, name: str, stream: IO[bytes] | BytesIO) -> Source:
        """A source one level deeper."""
        size = stream.seek(0, 2)
        stream.seek(0)
        return Source(
            name=name,
            stream=cast("Any", stream),
            size=size,
            settings=self._source.settings,
            read_inner=self,
            depth=self._source.depth + 1,
        )


def chunks_of(stream: Any) -> Iterator[bytes]:
    """The bytes of a stream in pieces."""
    while chunk := stream.read(CHUNK):
        yield chunk
