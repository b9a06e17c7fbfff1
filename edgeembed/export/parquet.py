"""Exports an index as one Parquet file."""

import json
from collections.abc import Callable
from pathlib import Path

from edgeembed import Index
from edgeembed.export.outputs import PARQUET_MARK
from edgeembed_runtime.errors import MissingExtraError
from edgeembed_runtime.index.base.types import StoredDocument
from edgeembed_runtime.storage import staged_file


def export_parquet(index: Index, target: Path, on_rows: Callable[[int], None]) -> tuple[Path, ...]:
    """Write the columns key, document, metadata (JSON) and vector (a list of `dim` float32).

    `on_rows` is called with the number of documents that each batch has written.

    Raises:
        MissingExtraError: pyarrow is not installed.
        SearchIndexError: the index is damaged, or was compacted meanwhile; nothing is in place.
        StorageError: the file system refused.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("Parquet", "parquet") from error
    schema = pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("document", pa.string()),
            pa.field("metadata", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), index.dim), nullable=False),
        ],
        metadata={PARQUET_MARK: index.space},
    )
    with (
        staged_file(target) as file,
        # A dictionary of distinct numbers would only make the file larger.
        pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer,
    ):
        for batch in index.batches():
            numbers = pa.array(batch.vectors.ravel(), pa.float32())
            columns = [
                pa.array([found.key for found in batch.documents], pa.string()),
                pa.array([found.document for found in batch.documents], pa.string()),
                pa.array([_metadata_json(found) for found in batch.documents], pa.string()),
                pa.FixedSizeListArray.from_arrays(numbers, index.dim),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            on_rows(len(batch.documents))
    return (target,)


def _metadata_json(document: StoredDocument) -> str | None:
    metadata = document.metadata
    return None if metadata is None else json.dumps(metadata, ensure_ascii=False)
