"""Indexes text files: only changed files are read, chunked and embedded; gone ones are removed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from edgeembed import Index
from edgeembed.ingest.file_state import (
    FileState,
    Fingerprints,
    content_hash,
    fingerprints_of,
    gone_files,
    read_file_states,
    settled,
    stat_file,
)
from edgeembed.ingest.file_update import FileUpdate, keys_of
from edgeembed.ingest.files import FoundFile, FoundFiles
from edgeembed.ingest.passages import Passage, PassageReader, Skip
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed.ingest.write_buffer import PendingCommit
from edgeembed_runtime.errors import EdgeEmbedError, InputError, StorageError

# Passages per commit: few enough that Ctrl-C loses little, and enough that syncing costs little
# next to encoding.
_BATCH = 256
# A key is a name, the line number of a record, and a passage number.
_MAX_NAME = 1000


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
    """Names of files without a text that can be had."""
    skips: tuple[Skip, ...]
    """What is not in the index of the files that were read, and why."""
    unknown: int
    """Passages of the whole index without a word that the model knows: found by keywords only."""
    failed: tuple[str, ...]
    """Messages on files that could not be read; their indexed passages stay."""
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
        self._known = read_file_states(index)

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
        reader = replace(self._reader, skips=[])
        run = _Run(self._index, reader, self._known, found, self._batch, everything=everything)
        for file in found.files:
            run.visit(file)
            on_file()
        run.finish()
        return run.report(time.perf_counter() - began)


@dataclass
class _Counts:
    unchanged: int = 0
    indexed: int = 0
    passages: int = 0
    embedded: int = 0
    removed: int = 0
    failed: list[str] = field(default_factory=list[str])


class _Run:
    def __init__(
        self,
        index: Index,
        reader: PassageReader,
        known: dict[str, FileState],
        found: FoundFiles,
        batch: int,
        *,
        everything: bool,
    ) -> None:
        self._index = index
        self._reader = reader
        self._known = known
        self._batch = batch
        self._everything = everything
        self._settings: Fingerprints = fingerprints_of(reader)
        self._commit = PendingCommit(index, reader.encoder)
        self._counts = _Counts()
        self._files = len(found.files)
        self._gone = gone_files(known, found)
        # A renamed or moved file is recognized by its content, and keeps its vectors.
        self._moved = {known[name].sha256: name for name in self._gone if self._is_usable(name)}
        for place in found.unreadable:
            self._tell(f"could not list the folder {place}; its indexed files stay")

    def _is_usable(self, name: str, *, unknown: bool = False) -> bool:
        """Whether the file's stored vectors are this model's; `unknown` if it has none."""
        file = self._known.get(name)
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
            known = None if self._everything else self._known.get(file.name)
            if known is not None and known.is_unchanged(now):
                self._counts.unchanged += 1
                return
            now = replace(now, sha256=content_hash(file.path))
        except (InputError, StorageError) as error:
            self._fail(file, error)
            return
        if known is not None and known.has_same_content(now):
            self._counts.unchanged += 1
            self._commit.record(file.name, settled(now))
        else:
            self._update(file, now)

    def finish(self) -> None:
        """Remove gone files, and commit what is pending."""
        for name in self._gone:
            self._commit.take([], keys_of(self._index, name))
            self._commit.record(name, None)
        self._write()

    def report(self, seconds: float) -> IndexingReport:
        counts, skips = self._counts, self._reader.skips
        damaged = [each for each in skips if each.reason == Reason.DAMAGED]
        skipped = tuple(each.name for each in skips if not each.where and each not in damaged)
        for each in damaged:
            self._tell(f"{each.name}{each.where and ', '}{each.where}: {each.detail}")
        return IndexingReport(
            files=self._files,
            indexed=counts.indexed - sum(not each.where for each in skips),
            unchanged=counts.unchanged,
            removed=len(self._gone),
            passages=counts.passages,
            embedded=counts.embedded,
            passages_removed=counts.removed,
            skipped=skipped,
            skips=tuple(skips),
            unknown=self._index.stats().blank,
            failed=tuple(counts.failed),
            seconds=seconds,
        )

    def _update(self, file: FoundFile, now: FileState) -> None:
        """Replace the passages of one file."""
        update = FileUpdate(self._index, file.name, self._twin_name(file.name, now))
        # Noted until the file is fully indexed; nothing, where vectors of another model are around.
        partly = now.unfinished() if self._is_usable(file.name, unknown=True) else None
        failures: list[EdgeEmbedError] = []
        passages, skips = 0, len(self._reader.skips)
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
        self._counts.indexed += 1
        self._counts.passages += passages
        update.end()
        update.hand_over(self._commit)
        read = self._as_read(file, now)
        if any(each.reason == Reason.DAMAGED for each in self._reader.skips[skips:]):
            read = read.unfinished()  # the next run says so again
        self._commit.record(file.name, read)
        if len(self._commit) >= self._batch:
            self._write()

    def _twin_name(self, name: str, now: FileState) -> str | None:
        """The file whose vectors `name` may reuse: itself, or the file that moved there."""
        if name in self._known:
            return name if self._is_usable(name) else None
        return self._moved.get(now.sha256)

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
            self._tell(str(error) if named else f"{file.path}: {error}")
        elif file.name in self._known:
            self._gone.append(file.name)

    def _tell(self, failure: str) -> None:
        # Paths that are not UTF-8 must be printable.
        self._counts.failed.append(failure.encode(errors="backslashreplace").decode())

    def _write(self) -> None:
        written = self._commit.write()
        self._counts.embedded += written.embedded
        self._counts.removed += written.removed
        for name, file in written.files.items():
            if file is None:
                self._known.pop(name, None)
            else:
                self._known[name] = file
