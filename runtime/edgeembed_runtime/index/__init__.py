"""A crash-safe index of documents and vectors in a directory: see docs/index-format.md."""

from edgeembed_runtime.index.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.index import Index
from edgeembed_runtime.index.results import (
    Hit,
    IndexStats,
    SegmentStats,
    StoredDocument,
    VerifyReport,
)
from edgeembed_runtime.index.settings import IndexSettings

__all__ = [
    "Hit",
    "Index",
    "IndexEncoder",
    "IndexSettings",
    "IndexStats",
    "SegmentStats",
    "StoredDocument",
    "VerifyReport",
]
