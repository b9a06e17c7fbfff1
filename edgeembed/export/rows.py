"""Rows of an index, a few at a time, so that memory stays flat."""

import json
from collections.abc import Callable, Iterator

from edgeembed import Index
from edgeembed_runtime.index.admin.scan import DocumentBatch
from edgeembed_runtime.index.base.types import StoredDocument

OnRows = Callable[[int], None]
# Some megabytes of vectors and texts.
_ROWS = 1024


def read_rows(index: Index, on_rows: OnRows) -> Iterator[DocumentBatch]:
    """Yield all documents of an index in the order of writing; `on_rows` counts them.

    Raises:
        SearchIndexError: the index is damaged, or was compacted meanwhile.
    """
    for batch in index.batches(_ROWS):
        yield batch
        on_rows(len(batch.documents))


def metadata_json(document: StoredDocument) -> str | None:
    """The metadata of a document as JSON text."""
    metadata = document.metadata
    return None if metadata is None else json.dumps(metadata, ensure_ascii=False)
