"""What a map shows: documents of an index, their vectors and one of their fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed import Index
from edgeembed_runtime.errors import InputError

FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Points:
    """Documents of an index, oldest first; `total` is how many the index has."""

    keys: tuple[str, ...]
    documents: tuple[str | None, ...]
    metadatas: tuple[Mapping[str, Any], ...]
    vectors: NDArray[np.float32]
    total: int

    def values(self, field: str) -> tuple[Any, ...]:
        """One field of the metadata for every document; None where it has none.

        Raises:
            InputError: no document has it.
        """
        if not any(field in metadata for metadata in self.metadatas):
            known = dict.fromkeys(name for metadata in self.metadatas for name in metadata)
            raise InputError(
                f"color: expected a field of the metadata, {', '.join(known) or 'which has none'}, "
                f"got {field!r}"
            )
        return tuple(metadata.get(field) for metadata in self.metadatas)


def read_points(index: Index, *, limit: int, seed: int) -> Points:
    """Read all documents of an index, or `limit` of them drawn at random.

    Raises:
        InputError: there are fewer than three.
    """
    keys = list(index.keys())
    total = len(keys)
    if total < FEWEST:
        raise InputError(f"{index.path}: expected {FEWEST} documents or more to map, found {total}")
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
