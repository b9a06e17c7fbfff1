"""Indexes image files: only changed images are encoded; broken ones are reported and skipped."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed import Encoder, Index
from edgeembed.ingest.coverage import (
    SourceState,
    as_source_notes,
    changed_sources,
    source_states,
)
from edgeembed.ingest.discover.found import Failure, FoundFile, FoundFiles, LeftOut
from edgeembed.ingest.file_state import (
    FileState,
    Fingerprints,
    as_notes,
    gone_files,
    settled,
    stat_file,
)
from edgeembed.ingest.images.kinds import is_image, unread_kind
from edgeembed.ingest.images.metadata import image_metadata
from edgeembed.ingest.ownership import MovedFiles
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed.ingest.sources import Memory, gone_sources, read_memory, source_remarks
from edgeembed_runtime.errors import InputError, StorageError
from edgeembed_runtime.storage import sha256_file, storage_errors

# Images per commit: few enough that Ctrl-C loses little.
_BATCH = 256
_MAX_NAME = 1024


@dataclass(frozen=True, kw_only=True)
class ImageReport:
    """The result of one run: counts of images."""

    images: int
    """All that were checked."""
    encoded: int
    moved: int
    """Recognized by their content under a new name: they keep their vectors."""
    unchanged: int
    removed: int
    failed: tuple[str, ...]
    """Messages on images that could not be read; their indexed vectors stay."""
    left_out: tuple[LeftOut, ...]
    """Everything that is there and not in the index: files and folders."""
    remarks: tuple[str, ...]
    """Messages on what is odd: sources that are gone."""
    seconds: float

    @property
    def per_second(self) -> float:
        """Images encoded per second."""
        return self.encoded / max(self.seconds, 1e-9)


@dataclass(frozen=True, kw_only=True)
class _Changed:
    file: FoundFile
    now: FileState


def images_of(found: FoundFiles, given: Iterable[Path]) -> FoundFiles:
    """The files with an image suffix, and those that were named explicitly."""
    named = set(given)
    kept: list[FoundFile] = []
    others: list[LeftOut] = []
    for file in found.files:
        if is_image(file.path) or file.path in named:
            kept.append(file)
            continue
        kind = unread_kind(file.path)
        others.append(
            LeftOut(
                name=file.name,
                place=file.place,
                reason=Reason.NOT_PICTURE if kind is None else Reason.NO_READER,
                detail="" if kind is None else f"{kind}: save it as JPEG",
            )
        )
    return replace(found, files=tuple(kept), left_out=(*found.left_out, *others))


def index_images(
    index: Index,
    encoder: Encoder,
    found: FoundFiles,
    *,
    everything: bool = False,
    on_image: Callable[[], None] = lambda: None,
) -> ImageReport:
    """Bring an index up to date with image files, keyed by their paths as given.

    Their metadata is what `image_metadata` finds, and the path as `source`.

    Args:
        index: open for writing, by no one else.
        encoder: one with an image tower.
        found: the files to check; see `images_of`.
        everything: also encode images that did not change.
        on_image: called after each image.

    Raises:
        EdgeEmbedError: earlier commits stay, and another run completes them.
    """
    began = time.perf_counter()
    run = _Run(index, encoder, found, everything=everything)
    changed = run.changed(on_image)
    outcomes = encoder.encode_image_iter(each.file.path for each in changed)
    for each, outcome in zip(changed, outcomes, strict=True):
        run.take(each, outcome)
        on_image()
    run.finish()
    return run.report(time.perf_counter() - began)


class _Run:
    def __init__(
        self, index: Index, encoder: Encoder, found: FoundFiles, *, everything: bool
    ) -> None:
        self._index = index
        self._found = found
        self._paths = {file.name: file.path for file in found.files}
        self._everything = everything
        model = hashlib.sha256(f"{encoder.space} {encoder.variant}".encode()).hexdigest()[:16]
        self._settings = Fingerprints(passages=f"image {model}", model=model)
        memory = read_memory(index)
        self._sources = dict(memory.sources)
        stored = frozenset(index.keys())
        self._known = {
            name: file if name in stored else file.unfinished()
            for name, file in memory.files.items()
        }
        self._gone = gone_files(self._known, found)
        usable = {n: f for n, f in self._known.items() if f.model == model and not everything}
        self._moved = MovedFiles(usable, self._gone)
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._files: dict[str, FileState | None] = {}
        self._remarks = list[str]()
        self._counts = {"encoded": 0, "moved": 0, "unchanged": 0}
        self._failed = list[Failure]()
        for each in found.unreadable:
            self._fail(each.place, each.message)

    def changed(self, on_image: Callable[[], None]) -> list[_Changed]:
        """The images that must be encoded."""
        changed: list[_Changed] = []
        for file in self._found.files:
            try:
                now = self._as_it_is(file)
            except (InputError, StorageError) as error:
                self._fail(file.place, str(error))
                now = None
            if now is None:
                on_image()
            else:
                changed.append(_Changed(file=file, now=now))
        return changed

    def take(self, changed: _Changed, outcome: NDArray[np.float32] | InputError) -> None:
        if isinstance(outcome, InputError):
            message = str(outcome).partition(": ")[2]  # without its position in the stream
            self._fail(changed.file.place, message)
            return
        self._counts["encoded"] += 1
        self._keep(changed.file.name, outcome, changed.now)

    def finish(self) -> None:
        """Remove gone images, and commit what is pending."""
        self._files |= dict.fromkeys(self._gone)
        files = {name: file for name, file in {**self._known, **self._files}.items() if file}
        found = self._found
        failed = (*found.problems, *self._failed)
        now = source_states(found.sources, found.left_out, failed, time.time())
        changed = changed_sources(self._sources, now)
        after = {place: source for place, source in (self._sources | changed).items() if source}
        gone = gone_sources(Memory(files=files, sources=after))
        changed |= {source.place: None for source, count in gone if not count}
        self._write(self._gone, changed)
        self._remarks = source_remarks(found, Memory(files=files, sources=after))

    def report(self, seconds: float) -> ImageReport:
        return ImageReport(
            images=len(self._found.files),
            removed=len(self._gone),
            failed=tuple(each.message for each in (*self._found.problems, *self._failed)),
            left_out=self._found.left_out,
            remarks=tuple(self._remarks),
            seconds=seconds,
            **self._counts,
        )

    def _as_it_is(self, file: FoundFile) -> FileState | None:
        """The state of an image that must be encoded; None if it need not be."""
        if len(file.name) > _MAX_NAME:
            raise InputError(f"{file.name[:80]}...: expected a path of at most {_MAX_NAME} letters")
        now = stat_file(file, self._settings)
        known = None if self._everything else self._known.get(file.name)
        if known is not None and known.is_unchanged(now):
            self._counts["unchanged"] += 1
            return None
        with storage_errors("read", file.path):
            now = replace(now, sha256=sha256_file(file.path))
        if known is not None and known.has_same_content(now):
            self._counts["unchanged"] += 1
            self._files[file.name] = settled(now.outcome_of(known))
            return None
        before = self._moved.source_of(now) if known is None else None
        if known is None and before is not None and before in self._index:
            self._counts["moved"] += 1
            self._keep(file.name, self._index.vectors(before)[0], now)
            if before not in self._gone:
                self._gone.append(before)
            return None
        return now

    def _keep(self, name: str, vector: NDArray[np.float32], now: FileState) -> None:
        self._vectors[name] = vector
        self._files[name] = settled(replace(now, passages=1))
        if len(self._vectors) >= _BATCH:
            self._write(())

    def _write(
        self, gone: Iterable[str], sources: Mapping[str, SourceState | None] | None = None
    ) -> None:
        names = list(self._vectors)
        vectors = np.array(list(self._vectors.values()), np.float32).reshape(-1, self._index.dim)
        self._index.upsert(
            names,
            vectors=vectors,
            metadatas=[{**image_metadata(self._paths[name]), "source": name} for name in names],
            delete=gone,
            notes=as_notes(self._files) | as_source_notes(sources or {}),
        )
        self._vectors, self._files = {}, {}

    def _fail(self, place: str, failure: str) -> None:
        # Paths that are not UTF-8 must be printable.
        message = failure.encode(errors="backslashreplace").decode()
        self._failed.append(Failure(place=place, message=message))
