"""Small indexes with every kind of file, to be damaged."""

from pathlib import Path
from unittest.mock import patch

import numpy as np

from edgeembed import Index, IndexSettings

DIM = 8
N = 150
WORDS = ("river", "stone", "cloud", "maple", "ember")


def text_of(key: str) -> str:
    """What is stored under a key."""
    number = int(key)
    return f"text {key} {WORDS[number % 5]} {WORDS[number // 5 % 5]}"


def write_sealed(folder: Path) -> list[Path]:
    """Write an index for each kind of segment; every one has a tail and dead rows."""
    found: list[Path] = []
    for backend in ("exact", "annoy", "faiss", "usearch"):
        path = folder / backend
        settings = IndexSettings(
            seal_rows=60,
            ann_min_rows=50,
            backend=backend,
            recall_floor=0.5,
            build_parameter=5 if backend == "annoy" else None,
        )
        # Segments this small have no SQ8 file otherwise.
        with (
            patch("edgeembed_runtime.index.segments.segment_writer._MIN_SQ8_ROWS", 16),
            Index.create(path, dim=DIM, settings=settings) as index,
        ):
            _write(index, range(N))
            index.compact()
            _write(index, range(N, N + 70))
            _write(index, range(N + 60, N + 80))
            index.delete([str(i) for i in range(0, 20, 2)])
            assert backend in ("exact", *(s.backend for s in index.stats().segments))
            assert index.verify().ok
        found.append(path)
    return found


def _write(index: Index, numbers: range) -> None:
    keys = [str(i) for i in numbers]
    vectors = np.stack([np.random.default_rng(i).normal(size=DIM) for i in numbers])
    index.upsert(
        keys,
        documents=[text_of(key) for key in keys],
        vectors=vectors,
        metadatas=[{"n": i} for i in numbers],
    )
