"""The next commit to the index: passages, removals and file states, written atomically."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed import Encoder, Index
from edgeembed.ingest.file_state import FileState, as_notes
from edgeembed.ingest.passages import Passage, long_title, place_of
from edgeembed_runtime.errors import UnknownTextWarning
from edgeembed_runtime.index.base.encoding import encoded_documents, titled
from edgeembed_runtime.index.base.types import StoredDocument


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

    def write(self) -> "Written":
        """Apply the changes and start over.

        Raises:
            InferenceError, InputError, StorageError, SearchIndexError: nothing was changed.
        """
        changed = self._changed()
        passages = [each.passage for each in changed]
        with warnings.catch_warnings():
            # The run's report counts them.
            warnings.simplefilter("ignore", UnknownTextWarning)
            self._index.upsert(
                [passage.key for passage in passages],
                documents=[passage.text for passage in passages],
                vectors=self._vectors(changed),
                metadatas=[passage.metadata for passage in passages],
                titles=[passage.long_title for passage in passages],
                delete=list(self._removed),
                notes=as_notes(self._files),
            )
        fresh = sum(each.twin is None for each in changed)
        written = Written(embedded=fresh, removed=len(self._removed), files=self._files)
        self._planned, self._removed, self._files = {}, {}, {}
        return written

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
    """What a commit did: passages embedded and removed, files remembered or forgotten."""

    embedded: int
    removed: int
    files: Mapping[str, FileState | None]
