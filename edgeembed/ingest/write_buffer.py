"""The next commit to the index: passages, removals and file states, written atomically."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeembed import Encoder, Index
from edgeembed.ingest.coverage import SourceState, as_source_notes
from edgeembed.ingest.discover.found import LeftOut
from edgeembed.ingest.file_state import FileState, as_notes
from edgeembed.ingest.passages import Passage, long_title
from edgeembed.ingest.readers.base.places import place_of
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    InferenceError,
    InputError,
    UnknownTextWarning,
)
from edgeembed_runtime.index.base.encoding import encoded_documents, titled
from edgeembed_runtime.index.base.types import StoredDocument
from edgeembed_runtime.index.base.validation import check_keys
from edgeembed_runtime.index.write.batch import make_batch

# When so many texts are refused, and none is not, it is the model that is wrong.
_MANY = 16


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A passage, and the key of an indexed one whose vector it reuses if the texts are equal."""

    passage: Passage
    twin: str | None


class PendingCommit:
    """Collects changes to an index; write() applies them in one commit."""

    def __init__(self, index: Index, encoder: Encoder) -> None:
        """Start empty; the index was opened with this encoder of its passages."""
        self._index = index
        self._encoder = encoder
        self._planned: dict[str, Planned] = {}
        self._removed: dict[str, None] = {}
        self._files: dict[str, FileState | None] = {}
        self._sources: dict[str, SourceState | None] = {}
        self._name = ""
        self._names: dict[str, str] = {}
        self._told: list[LeftOut] = []
        self._refused: dict[str, list[LeftOut]] = {}

    def __len__(self) -> int:
        """The number of pending passages."""
        return len(self._planned)

    @property
    def files(self) -> Mapping[str, FileState | None]:
        """The files that will be remembered or forgotten."""
        return self._files

    def begin(self, name: str) -> None:
        """Say of which file the next passages are."""
        self._name = name
        self._refused.pop(name, None)

    def take(self, planned: Iterable[Planned], removed: Iterable[str]) -> None:
        """Add passages in order, and keys to remove, which are disjoint from theirs."""
        for each in planned:
            key = each.passage.key
            self._names[key] = self._name
            self._planned.pop(key, None)
            try:
                check_keys([key])
            except InputError as error:
                self._refuse(each.passage, error)
                continue
            self._planned[key] = each
            self._removed.pop(key, None)
        for key in removed:
            self._planned.pop(key, None)
            self._removed[key] = None

    def record(self, name: str, file: FileState | None) -> None:
        """Remember a file's state along with these changes, or forget the file."""
        self._files[name] = file

    def remember(self, sources: Mapping[str, SourceState | None]) -> None:
        """Remember sources along with these changes, or forget them."""
        self._sources.update(sources)

    def write(self) -> "Written":
        """Apply the changes and start over.

        A passage that the model or the index refuses costs that passage: it is left out of its
        file, and the others go on.

        Raises:
            InferenceError, InputError: nothing was changed; all of many passages are refused.
            StorageError, SearchIndexError: nothing was changed.
        """
        changed = self._changed()
        with warnings.catch_warnings():
            # The run's report counts them.
            warnings.simplefilter("ignore", UnknownTextWarning)
            try:
                self._upsert(changed)
            except (InferenceError, InputError) as error:
                sound = self._sound(changed, error)
                if not sound and len(changed) >= _MANY:
                    raise
                # What the index has under the keys of the others is of other texts.
                kept = {each.passage.key for each in sound}
                self._removed |= {e.passage.key: None for e in changed if e.passage.key not in kept}
                changed = sound
                self._upsert(changed)
        fresh = sum(each.twin is None for each in changed)
        written = Written(
            embedded=fresh,
            removed=len(self._removed),
            files=self._amended(),
            sources=self._sources,
            refused=self._told,
        )
        self._planned, self._removed, self._files = {}, {}, {}
        self._sources, self._names, self._told = {}, {}, []
        return written

    def _upsert(self, changed: list[Planned]) -> None:
        passages = [each.passage for each in changed]
        self._index.upsert(
            [passage.key for passage in passages],
            documents=[passage.text for passage in passages],
            vectors=self._vectors(changed),
            metadatas=[passage.metadata for passage in passages],
            titles=[passage.long_title for passage in passages],
            delete=list(self._removed),
            notes=as_notes(self._amended()) | as_source_notes(self._sources),
        )

    def _sound(self, planned: list[Planned], error: EdgeEmbedError) -> list[Planned]:
        """Those that can be encoded and stored, found by halves; the others are refused."""
        if len(planned) == 1:
            self._refuse(planned[0].passage, error)
            return []
        sound: list[Planned] = []
        for half in (planned[: len(planned) // 2], planned[len(planned) // 2 :]):
            try:
                self._try(half)
                sound += half
            except (InferenceError, InputError) as refusal:
                sound += self._sound(half, refusal)
        return sound

    def _try(self, planned: list[Planned]) -> None:
        """Encode and check passages, and store nothing."""
        passages = [each.passage for each in planned]
        make_batch(
            [passage.key for passage in passages],
            [passage.text for passage in passages],
            self._vectors(planned),
            [passage.metadata for passage in passages],
            [passage.long_title for passage in passages],
            dim=self._index.dim,
            encoder=self._encoder,
        )

    def _refuse(self, passage: Passage, error: EdgeEmbedError) -> None:
        name = self._names[passage.key]
        line = place_of(passage.metadata).get("line")
        refused = LeftOut(
            name=name,
            reason=Reason.DAMAGED,
            where=passage.key.removeprefix(f"{name}/") if line is None else f"line {line}",
            detail=str(error),
        )
        self._refused.setdefault(name, []).append(refused)
        self._told.append(refused)

    def _amended(self) -> dict[str, FileState | None]:
        """The files' states, without the passages that were refused."""
        return {
            name: file and self._without_refused(name, file) for name, file in self._files.items()
        }

    def _without_refused(self, name: str, file: FileState) -> FileState:
        refused = self._refused.get(name, [])
        passages = max(file.passages - len(refused), 0)
        return replace(file.without(refused), passages=passages)

    def _vectors(self, changed: list[Planned]) -> list[NDArray[np.float32] | None]:
        """Vectors: those that are reused, and of the others what is encoded now."""
        twins = [each.twin for each in changed if each.twin is not None]
        stored = dict(zip(twins, self._index.vectors(twins), strict=True)) if twins else {}
        found = [None if each.twin is None else stored[each.twin] for each in changed]
        rows = [row if row is not None and row.any() else None for row in found]
        missing = [n for n, row in enumerate(rows) if row is None]
        passages = [changed[n].passage for n in missing]
        wanted = [titled(each.title, each.text) for each in passages]
        encoded = encoded_documents(self._encoder, wanted, dim=self._index.dim)
        for n, row in zip(missing, encoded, strict=True):
            rows[n] = row if row.any() else None
        return rows

    def _changed(self) -> list[Planned]:
        """The passages that differ from the index; a twin stays only if its vector would too."""
        twins = [each.twin for each in self._planned.values() if each.twin is not None]
        stored = {found.key: found for found in self._index.get(twins) if found is not None}
        changed: list[Planned] = []
        for each in self._planned.values():
            found = stored.get(each.twin or "")
            passage = each.passage
            if found is None or not _is_encoded_alike(passage, found):
                changed.append(Planned(passage=passage, twin=None))
            elif (found.key, found.title or "") != (passage.key, passage.long_title) or (
                found.metadata != passage.metadata
            ):
                changed.append(each)
        return changed


def _is_encoded_alike(passage: Passage, stored: StoredDocument) -> bool:
    """Whether a stored vector is that of a passage, whatever folder its file was in."""
    folder = place_of(stored.metadata).get("folder")
    title = long_title(folder if isinstance(folder, str) else "", passage.title)
    return (title, passage.text) == (stored.title or "", stored.document)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a commit did: passages embedded and removed, files and sources remembered or not."""

    embedded: int
    removed: int
    files: Mapping[str, FileState | None]
    sources: Mapping[str, SourceState | None]
    refused: list[LeftOut]
    """Passages that cannot be encoded or stored."""
