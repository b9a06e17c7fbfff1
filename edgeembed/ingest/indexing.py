"""Passages into an index: in batches, each of which is committed."""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from edgeembed import Index
from edgeembed.ingest.folders import FoundFile
from edgeembed.ingest.passages import Passage, PassageReader

# Passages in a commit: few enough that little is lost to Ctrl-C, and enough that a commit's
# syncs cost little beside the encoding.
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class IndexingReport:
    """What one run did; `removed` counts passages that a file no longer has."""

    files: int
    passages: int
    removed: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PassageIndexer:
    """Indexes files: new passages replace old ones of the same file."""

    index: Index
    reader: PassageReader

    def run(self, files: Iterable[FoundFile], on_file: Callable[[], None]) -> IndexingReport:
        """Index `files`; `on_file` is called as each has been read.

        Raises:
            InputError, StorageError, SearchIndexError: batches before it stay committed.
        """
        began = time.perf_counter()
        present = self._keys_by_source()
        files_read = passages = 0

        def read() -> Iterator[Passage]:
            nonlocal files_read
            for file in files:
                seen[file.name] = set()  # a file that has no text any more has no passages either
                yield from self.reader.read(file)
                files_read += 1
                on_file()

        seen: defaultdict[str, set[str]] = defaultdict(set)
        for batch in _batched(read(), _BATCH):
            self._upsert(batch)
            passages += len(batch)
            for passage in batch:
                source = passage.metadata["source"]
                if passage.number == 0:  # of two records with one key the last one counts
                    seen[source] = set()
                seen[source].add(passage.key)
                present[source].add(passage.key)
        removed = self.index.delete(_stale(present, seen))
        return IndexingReport(
            files=files_read,
            passages=passages,
            removed=removed,
            seconds=time.perf_counter() - began,
        )

    def _upsert(self, batch: list[Passage]) -> None:
        self.index.upsert(
            [passage.key for passage in batch],
            [passage.text for passage in batch],
            metadatas=[passage.metadata for passage in batch],
        )

    def _keys_by_source(self) -> defaultdict[str, set[str]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for key in self.index.keys():  # noqa: SIM118 (an Index is no dict)
            found[key.rpartition("#")[0]].add(key)
        return found


def _stale(present: Mapping[str, set[str]], seen: Mapping[str, set[str]]) -> list[str]:
    """Keys in the index that the files read in this run no longer give.

    A record without a key of its own is named "file:line", and so belongs to its file. One with a
    key belongs to nobody: it stays until another record of that key replaces it.
    """
    owned = [name for name in present if name in seen or name.rpartition(":")[0] in seen]
    return [key for name in owned for key in present[name] - seen.get(name, set())]


def _batched(passages: Iterator[Passage], size: int) -> Iterator[list[Passage]]:
    while batch := list(itertools.islice(passages, size)):
        yield batch
