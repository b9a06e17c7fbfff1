"""Tar archives, entry by entry."""

import tarfile
from collections.abc import Iterator
from typing import Any, cast

from edgeembed.ingest.readers.base.parts import part_name
from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.containers.unpacking import Within, chunks_of


class TarReader:
    """Reads the files in a tar archive by their own readers; nothing is written by its names."""

    name = "tar"
    suffixes: frozenset[str] = frozenset({".tar"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        within = Within(source)
        try:
            with tarfile.open(fileobj=source.stream, mode="r:") as archive:
                for entry in archive:
                    cast("Any", archive).members = []  # it would remember every one
                    if entry.islnk() or entry.issym():
                        yield Remark(reason=Reason.LINK, where=part_name(entry.name))
                    elif entry.isfile():
                        yield from within.entry(entry.name, _content(archive, entry))
                    if within.budget.spent:
                        return
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise SkippedError(Reason.DAMAGED, str(error)) from error


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[bytes]:
    stream = archive.extractfile(entry)
    if stream is not None:
        yield from chunks_of(stream)
