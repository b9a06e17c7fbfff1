"""Exports an index as vectors in a .npy file and the rest in a .jsonl file beside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgeembed import Index
from edgeembed.export.outputs import RECORD_MARK
from edgeembed_runtime.storage import staged_file


def files_of_npy(target: Path) -> tuple[Path, Path]:
    """The two files that an export to a .npy file writes."""
    return target, target.with_suffix(".jsonl")


def export_npy(index: Index, target: Path, on_rows: Callable[[int], None]) -> tuple[Path, ...]:
    """Write (n, dim) float32 vectors to `target`, and keys, documents and metadata beside it.

    Each record of the other file says who wrote it. Both have the same order and appear at the end.
    `on_rows` is called with the number of documents that each batch has written.

    Raises:
        SearchIndexError: the index is damaged, or was compacted meanwhile; nothing is in place.
        StorageError: the file system refused.
    """
    _, beside = files_of_npy(target)
    header: dict[str, Any] = {
        "descr": "<f4",
        "fortran_order": False,
        "shape": (len(index), index.dim),
    }
    with staged_file(beside) as lines, staged_file(target) as vectors:
        np.lib.format.write_array_header_1_0(vectors, header)
        for batch in index.batches():
            vectors.write(batch.vectors.astype("<f4", copy=False).tobytes())
            for found in batch.documents:
                record = {
                    **RECORD_MARK,
                    "key": found.key,
                    "document": found.document,
                    "metadata": found.metadata,
                }
                lines.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            on_rows(len(batch.documents))
    return target, beside
