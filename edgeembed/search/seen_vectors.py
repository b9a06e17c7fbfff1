"""Vectors of passages that an index once had: code comes back, by a checkout or an undo."""

from pathlib import Path

from edgeembed import EmbeddingCache
from edgeembed_runtime.errors import EdgeEmbedError

_FILE = "seen-vectors.sqlite3"
_MAX_MB = 512


def keeps_vectors(index_path: Path) -> bool:
    """Whether an index keeps the vectors of what it has seen: one that was made of code does."""
    return (index_path / _FILE).is_file()


def seen_vectors(index_path: Path) -> EmbeddingCache | None:
    """The vectors that an index has seen, the latest ones; None without permission to keep them.

    The index's folder is there.
    """
    try:
        return EmbeddingCache(index_path / _FILE, max_mb=_MAX_MB)
    except EdgeEmbedError:
        return None
