"""The points of a map: documents of an index, their vectors and metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed import Index
from edgeembed_runtime.errors import InputError

MIN_POINTS = 3
FOLDER = "folder"
# So many folders can be told apart by their colors.
_MAX_FOLDERS, _MAX_DEPTH = 12, 8


@dataclass(frozen=True, kw_only=True)
class Points:
    """Documents of an index, oldest first; `total` is how many the index has."""

    keys: tuple[str, ...]
    documents: tuple[str | None, ...]
    metadatas: tuple[Mapping[str, Any], ...]
    vectors: NDArray[np.float32]
    total: int

    def values(self, field: str) -> tuple[Any, ...]:
        """The values of one metadata field; None for documents without it.

        Raises:
            InputError: no document has it.
        """
        if not any(field in metadata for metadata in self.metadatas):
            known = dict.fromkeys(name for metadata in self.metadatas for name in metadata)
            raise InputError(
                f"color: expected a field of the metadata, {', '.join(known) or 'which has none'}, "
                f"got {field!r}"
            )
        found = tuple(metadata.get(field) for metadata in self.metadatas)
        return _cut_folders(found) if field == FOLDER else found

    @property
    def is_code(self) -> bool:
        """Whether some of them are source code."""
        return any("language" in metadata for metadata in self.metadatas)


def read_points(index: Index, *, limit: int, seed: int) -> Points:
    """Read all documents of an index, or a random sample of `limit`.

    Raises:
        InputError: there are fewer than three documents.
    """
    keys = list(index.keys())
    total = len(keys)
    if total < MIN_POINTS:
        raise InputError(
            f"{index.path}: expected {MIN_POINTS} documents or more to map, found {total}"
        )
    if total > limit:
        chosen = np.random.default_rng(seed).choice(total, limit, replace=False)
        keys = [keys[place] for place in np.sort(chosen)]
    stored = [each for each in index.get(keys) if each is not None]
    return Points(
        keys=tuple(each.key for each in stored),
        documents=tuple(each.document for each in stored),
        metadatas=tuple(each.metadata or {} for each in stored),
        vectors=index.vectors([each.key for each in stored]),
        total=total,
    )


def _cut_folders(folders: Sequence[Any]) -> tuple[str, ...]:
    """Folders as deep as they can be told apart, at least where they part; "." is the top."""
    parts = [each.split("/") if isinstance(each, str) and each else ["."] for each in folders]
    chosen: list[str] = []
    for depth in range(1, _MAX_DEPTH + 1):
        cut = ["/".join(each[:depth]) for each in parts]
        if len(set(cut)) > _MAX_FOLDERS and len(set(chosen)) > 1:
            break
        chosen = cut
    return tuple(chosen)
