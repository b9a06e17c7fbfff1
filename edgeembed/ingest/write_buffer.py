"""The next commit to the index: passages, removals and file states, written atomically."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from edgeembed import Encoder, Index
from edgeembed.ingest.file_state import FileState, as_notes
from edgeembed.ingest.passages import Passage


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A passage, and the key of an indexed one whose vector it reuses if the texts are equal."""

    passage: Passage
    twin: str | None


class PendingCommit:
    """Collects changes to an index; write() applies them in one commit."""

    def __init__(self, index: Index, encoder: Encoder) -> None:
        """Start empty."""
        self._index = index
        self._encoder = encoder
        self._planned: dict[str, Planned] = {}
        self._removed: dict[str, None] = {}
        self._files: dict[str, FileState | None] = {}

    def __len__(self) -> int:
        """The number of pending passages."""
        return len(self._planned)

    def take(self, planned: Iterable[Planned], removed: Iterable[str]) -> None:
        """Add passages in order, and keys to remove, which are disjoint from theirs."""
        for each in planned:
            key = each.passage.key
            self._planned.pop(key, None)
            self._planned[key] = each
            self._removed.pop(key, None)
        for key in removed:
            self._planned.pop(key, None)
            self._removed[key] = None

    def record(self, name: str, file: FileState | None) -> None:
        """Remember a file's state along with these changes, or forget the file."""
        self._files[name] = file

    def waiting_keys(self, prefix: str) -> set[str]:
        """Keys of pending passages that start with `prefix`."""
        return {key for key in self._planned if key.startswith(prefix)}

    def write(self) -> "Written":
        """Apply the changes and start over.

        Raises:
            InferenceError, InputError, StorageError, SearchIndexError: nothing was changed.
        """
        changed = self._changed()
        passages = [each.passage for each in changed]
        fresh = [i for i, each in enumerate(changed) if each.twin is None]
        reused = [i for i, each in enumerate(changed) if each.twin is not None]
        vectors = np.empty((len(changed), self._index.dim), np.float32)
        if fresh:
            vectors[fresh] = self._encoder.encode_document([passages[i].text for i in fresh])
        if reused:
            vectors[reused] = self._index.vectors([changed[i].twin or "" for i in reused])
        self._index.upsert(
            [passage.key for passage in passages],
            documents=[passage.text for passage in passages],
            vectors=vectors,
            metadatas=[passage.metadata for passage in passages],
            delete=list(self._removed),
            notes=as_notes(self._files),
        )
        written = Written(embedded=len(fresh), removed=len(self._removed), files=self._files)
        self._planned, self._removed, self._files = {}, {}, {}
        return written

    def _changed(self) -> list[Planned]:
        """The passages that differ from the index; a twin is kept only if it has the same text."""
        twins = [each.twin for each in self._planned.values() if each.twin is not None]
        stored = {found.key: found for found in self._index.get(twins) if found is not None}
        changed: list[Planned] = []
        for each in self._planned.values():
            found = stored.get(each.twin or "")
            if found is None or found.document != each.passage.text:
                changed.append(Planned(passage=each.passage, twin=None))
            elif found.key != each.passage.key or found.metadata != each.passage.metadata:
                changed.append(each)
        return changed


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a commit did: passages embedded and removed, files remembered or forgotten."""

    embedded: int
    removed: int
    files: Mapping[str, FileState | None]
