"""Reads all documents and vectors of one generation, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import SearchIndexError
from edgeembed_runtime.index.base.types import StoredDocument
from edgeembed_runtime.index.catalog.catalog import Catalog, SnapshotPurgedError
from edgeembed_runtime.index.catalog.documents import VISIBLE, read_documents
from edgeembed_runtime.index.catalog.filter_sql import Condition
from edgeembed_runtime.index.segments.snapshot import Snapshot


@public
@dataclass(frozen=True, kw_only=True)
class DocumentBatch:
    """Some documents and their vectors."""

    documents: Sequence[StoredDocument]
    """n of them."""
    vectors: NDArray[np.float32]
    """(n, dim), unit length; zeros where the encoder knew no word of the document."""


def read_batches(
    snapshot: Snapshot, catalog: Catalog, condition: Condition, size: int
) -> Iterator[DocumentBatch]:
    """Yield all documents that meet a condition, in the order of writing, `size` at a time.

    No transaction stays open between batches, so writers can go on.

    Raises:
        IndexCorruptError: a document's checksum does not match, or it has no vector.
        SearchIndexError: the generation was purged meanwhile.
    """
    at, last = snapshot.generation, -1
    statement = (
        f"SELECT docid FROM doc WHERE {VISIBLE} AND {condition.sql} AND docid > ? "
        "ORDER BY docid LIMIT ?"
    )
    try:
        while True:
            with catalog.reading(snapshot.generation) as connection:
                rows = connection.execute(statement, (at, at, *condition.values, last, size))
                docids = [docid for (docid,) in rows]
                found = read_documents(connection, docids)
            if not docids:
                return
            yield DocumentBatch(
                documents=[found[docid] for docid in docids],
                vectors=snapshot.vectors_of(np.array(docids, np.int64)),
            )
            last = docids[-1]
    except SnapshotPurgedError as error:
        raise SearchIndexError(
            f"{catalog.path}: the index was compacted while it was read; read it again"
        ) from error
