"""Keys, documents by key, and vectors by key, at one generation.

All raise SnapshotPurgedError if that generation's rows are gone; use a newer snapshot then.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.types import StoredDocument
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.documents import (
    count_at,
    docids_of,
    keys_at,
    read_documents,
)
from edgeembed_runtime.index.catalog.filter_sql import Condition
from edgeembed_runtime.index.segments.snapshot import Snapshot


def keys_of(prefix: str, condition: Condition, snapshot: Snapshot, catalog: Catalog) -> list[str]:
    """The keys that start with a prefix, of documents that match, in the order of writing."""
    with catalog.reading(snapshot.generation) as connection:
        return keys_at(connection, snapshot.generation, prefix, condition)


def count_matching(condition: Condition, snapshot: Snapshot, catalog: Catalog) -> int:
    """How many documents match."""
    with catalog.reading(snapshot.generation) as connection:
        return count_at(connection, snapshot.generation, condition)


def documents_of(
    keys: Sequence[str], snapshot: Snapshot, catalog: Catalog
) -> list[StoredDocument | None]:
    """The documents of some keys, in their order; None where there is none.

    Raises:
        IndexCorruptError: a document's checksum does not match.
    """
    with catalog.reading(snapshot.generation) as connection:
        docids = docids_of(connection, keys, snapshot.generation)
        found = read_documents(connection, docids.values())
    return [found[docids[key]] if key in docids else None for key in keys]


def vectors_of(keys: Sequence[str], snapshot: Snapshot, catalog: Catalog) -> NDArray[np.float32]:
    """The vectors of some keys, in their order: (n, d), unit length.

    Raises:
        InputError: a key is not in the index.
    """
    with catalog.reading(snapshot.generation) as connection:
        docids = docids_of(connection, keys, snapshot.generation)
    for position, key in enumerate(keys):
        if key not in docids:
            raise InputError(f"keys[{position}]: expected a key of the index, got {key!r}")
    return snapshot.vectors_of(np.array([docids[key] for key in keys], np.int64))
