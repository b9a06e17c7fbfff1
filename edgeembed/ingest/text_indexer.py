"""Indexes text files: only changed files are read, chunked and embedded; gone ones are removed."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from edgeembed import Index
from edgeembed.ingest.coverage import changed_sources, message_of, source_states
from edgeembed.ingest.discover.found import Failure, FoundFile, FoundFiles, LeftOut
from edgeembed.ingest.file_state import (
    FileState,
    Fingerprints,
    examined,
    fingerprints_of,
    gone_files,
    settled,
    stat_file,
)
from edgeembed.ingest.file_update import FileUpdate, keys_of
from edgeembed.ingest.ownership import MovedFiles, without_deleted
from edgeembed.ingest.passages import Passage, PassageReader
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed.ingest.sources import Memory, gone_sources, read_memory, source_remarks
from edgeembed.ingest.write_buffer import PendingCommit
from edgeembed_runtime.errors import EdgeEmbedError, InputError, StorageError

# Passages per commit: few enough that Ctrl-C loses little, and enough that syncing costs little
# next to encoding.
_BATCH = 256
# A key is a name, the line number of a record, and a passage number.
_MAX_NAME = 1000
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class IndexingReport:
    """The result of one run: counts of files, then of passages."""

    files: int
    indexed: int
    unchanged: int
    removed: int
    passages: int
    """In the files that were indexed."""
    embedded: int
    passages_removed: int
    skipped: tuple[str, ...]
    """Names of files that were looked at, and have no text that can be had."""
    left_out: tuple[LeftOut, ...]
    """Everything that is there and not in the index: files, folders, and parts of files."""
    unknown: int
    """Passages of the whole index without a word that the model knows: found by keywords only."""
    failed: tuple[str, ...]
    """Messages on files that could not be read, whose indexed passages stay, and on damaged parts
    of others."""
    remarks: tuple[str, ...]
    """Messages on what is odd: sources that are gone."""
    seconds: float


class PassageIndexer:
    """Brings an index up to date with files each time run() is called."""

    def __init__(self, index: Index, reader: PassageReader, *, batch: int = _BATCH) -> None:
        """Read from the index which files were indexed before.

        Args:
            index: open for writing, by no one else.
            reader: splits files into passages.
            batch: passages per commit.
        """
        self._index = index
        self._reader = reader
        self._batch = batch
        memory = read_memory(index)
        self._known = without_deleted(index, memory.files)
        self._sources = dict(memory.sources)

    def run(
        self,
        found: FoundFiles,
        *,
        everything: bool = False,
        on_file: Callable[[], None] = lambda: None,
    ) -> IndexingReport:
        """Index the changed files in `found` and remove the ones that are gone.

        Args:
            found: the files to check.
            everything: also index files that did not change.
            on_file: called after each file.

        Raises:
            EdgeEmbedError: earlier commits stay, and another run completes them.
        """
        began = time.perf_counter()
        reader = replace(self._reader, left_out=[])
        memory = Memory(files=self._known, sources=self._sources)
        run = _Run(self._index, reader, memory, found, self._batch, everything=everything)
        for file in found.files:
            run.visit(file)
            on_file()
        run.finish()
        self._known, self._sources = run.known, run.sources
        return run.report(time.perf_counter() - began)


@dataclass
class _Counts:
    unchanged: int = 0
    indexed: int = 0
    passages: int = 0
    embedded: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list[Failure])
    moved: int = 0
    skipped: list[str] = field(default_factory=list[str])
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])


class _Run:
    def __init__(
        self,
        index: Index,
        reader: PassageReader,
        memory: Memory,
        found: FoundFiles,
        batch: int,
        *,
        everything: bool,
    ) -> None:
        self._index = index
        self._reader = reader
        self.known = dict(memory.files)
        self.sources = dict(memory.sources)
        self._found = found
        self._batch = batch
        self._everything = everything
        self._settings: Fingerprints = fingerprints_of(reader)
        self._commit = PendingCommit(index, reader.encoder)
        self._counts = _Counts()
        self._gone = gone_files(self.known, found)
        self._moved = MovedFiles(
            {name: file for name, file in self.known.items() if self._is_usable(name)}, self._gone
        )
        # With the first commit: a run that is stopped has told of what it is.
        begun = source_states(found.sources, (), (), time.time())
        self._commit.remember({p: s for p, s in begun.items() if p not in self.sources})
        for each in found.unreadable:
            self._tell(each.place, f"{each.message}; its indexed files stay")

    def _is_usable(self, name: str, *, unknown: bool = False) -> bool:
        """Whether the file's stored vectors are this model's; `unknown` if it has none."""
        file = self.known.get(name)
        if file is None:
            return unknown
        return file.model == self._settings.model and not self._everything

    def visit(self, file: FoundFile) -> None:
        try:
            if len(file.name) > _MAX_NAME:
                raise InputError(
                    f"{file.name[:80]}...: expected a path of at most {_MAX_NAME} characters, got "
                    f"{len(file.name)}; index it from a folder closer to it"
                )
            now = stat_file(file, self._settings)
            known = None if self._everything else self.known.get(file.name)
            if known is not None and known.is_unchanged(now):
                self._keep(file, known)
                return
            digest, own = examined(file.path)
            now = replace(now, sha256=digest)
        except (InputError, StorageError) as error:
            self._fail(file, error)
            return
        if known is not None and known.has_same_content(now):
            self._keep(file, known)
            self._commit.record(file.name, settled(now.outcome_of(known)))
        elif own:
            self._leave_out(file, now)
        else:
            self._update(file, now)

    def finish(self) -> None:
        """Remove gone files, remember the sources, and commit what is pending."""
        for name in self._gone:
            self._commit.take([], keys_of(self._index, name))
            self._commit.record(name, None)
        self._counts.left_out += self._found.left_out
        sources = source_states(
            self._found.sources,
            self._found.left_out,
            (*self._found.problems, *self._counts.failed),
            time.time(),
        )
        self._commit.remember(changed_sources(self.sources, sources))
        self._commit.remember(dict.fromkeys(self._abandoned()))
        self._write()

    def report(self, seconds: float) -> IndexingReport:
        counts = self._counts
        damaged = [each for each in counts.left_out if each.reason == Reason.DAMAGED]
        failed = [each.message for each in (*self._found.problems, *counts.failed)]
        return IndexingReport(
            files=len(self._found.files),
            indexed=counts.indexed,
            unchanged=counts.unchanged,
            removed=len(self._gone) + counts.moved,
            passages=counts.passages,
            embedded=counts.embedded,
            passages_removed=counts.removed,
            skipped=tuple(counts.skipped),
            left_out=tuple(counts.left_out),
            unknown=self._index.stats().blank,
            failed=(*failed, *map(message_of, damaged)),
            remarks=tuple(
                source_remarks(self._found, Memory(files=self.known, sources=self.sources))
            ),
            seconds=seconds,
        )

    def _abandoned(self) -> list[str]:
        """Places of sources that are not there any more, and of which the index has nothing."""
        files = {**self.known, **self._commit.files}
        kept = {name: file for name, file in files.items() if file is not None}
        memory = Memory(files=kept, sources=self.sources)
        return [source.place for source, count in gone_sources(memory) if not count]

    def _keep(self, file: FoundFile, known: FileState) -> None:
        self._counts.unchanged += 1
        self._counts.left_out += known.parts_left_out(file.name)

    def _leave_out(self, file: FoundFile, now: FileState) -> None:
        """Remember a file that is not to be read, without passages."""
        left = LeftOut(name=file.name, place=file.place, reason=Reason.OWN_OUTPUT)
        self._counts.left_out.append(left)
        self._commit.take([], keys_of(self._index, file.name))
        self._commit.record(file.name, settled(now.without([left])))

    def _update(self, file: FoundFile, now: FileState) -> None:
        """Replace the passages of one file."""
        twin = self._twin_name(file.name, now)
        update = FileUpdate(self._index, file.name, twin)
        # Noted until the file is fully indexed; nothing, where vectors of another model are around.
        partly = now.unfinished() if self._is_usable(file.name, unknown=True) else None
        failures: list[EdgeEmbedError] = []
        passages, before = 0, len(self._reader.left_out)
        self._commit.begin(file.name)
        for passage in self._passages(file, failures):
            if len(self._commit) + len(update.planned) >= self._batch:
                # Commit other files' passages first, so that this file fits one commit if it can.
                if len(self._commit) == 0:
                    update.hand_over(self._commit)
                    self._commit.record(file.name, partly)
                self._write()
            update.add(passage)
            passages += 1
        if failures:
            self._fail(file, failures[0])
            return
        left = self._reader.left_out[before:]
        self._counts.left_out += left
        if passages or all(each.where for each in left):
            self._counts.indexed += 1
        elif all(each.reason != Reason.DAMAGED for each in left):
            self._counts.skipped.append(file.name)
        self._counts.passages += passages
        update.end()
        update.hand_over(self._commit)
        if twin is not None and twin != file.name and twin not in self._gone:
            self._move(twin)
        read = replace(self._as_read(file, now), passages=update.count)
        if any(each.reason == Reason.NO_READER for each in left):
            read = read.unfinished()  # it may be installed by the next run
        self._commit.record(file.name, read.without(left))
        if len(self._commit) >= self._batch:
            self._write()

    def _twin_name(self, name: str, now: FileState) -> str | None:
        """The file whose vectors `name` may reuse: itself, or the file that moved there."""
        if name in self.known:
            return name if self._is_usable(name) else None
        return self._moved.source_of(now)

    def _move(self, name: str) -> None:
        """Forget a file in the commit of the passages that have its vectors now."""
        self._commit.take([], keys_of(self._index, name))
        self._commit.record(name, None)
        self._counts.moved += 1

    def _passages(self, file: FoundFile, failures: list[EdgeEmbedError]) -> Iterator[Passage]:
        try:
            yield from self._reader.read(file)
        except (InputError, StorageError) as error:
            failures.append(error)

    def _as_read(self, file: FoundFile, before: FileState) -> FileState:
        """The state to remember; unfinished if the file changed while it was read."""
        try:
            after = stat_file(file, self._settings)
        except StorageError:
            return before.unfinished()
        return settled(before) if before.is_unchanged(after) else before.unfinished()

    def _fail(self, file: FoundFile, error: EdgeEmbedError) -> None:
        """Skip a file: if it has just vanished it is gone; otherwise its passages stay."""
        if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            named = str(file.path) in str(error)
            self._tell(file.place, str(error) if named else f"{file.path}: {error}")
        elif file.name in self.known:
            self._gone.append(file.name)

    def _tell(self, place: str, failure: str) -> None:
        # Paths that are not UTF-8 must be printable.
        message = failure.encode(errors="backslashreplace").decode()
        self._counts.failed.append(Failure(place=place, message=message))

    def _write(self) -> None:
        written = self._commit.write()
        self._counts.embedded += written.embedded
        self._counts.removed += written.removed
        self._counts.left_out += written.refused
        _remember(self.known, written.files)
        _remember(self.sources, written.sources)


def _remember(known: dict[str, T], changes: Mapping[str, T | None]) -> None:
    for name, state in changes.items():
        if state is None:
            known.pop(name, None)
        else:
            known[name] = state
