"""Make tests/runtime/golden/index-format-1. Run once, when format 1 was published.

What it wrote is never written again: a later edgeembed must read the indexes that an earlier one
made. Format 2 has a script and a folder of its own. Needs Annoy and usearch.
"""

import json
from pathlib import Path

import numpy as np

from edgeembed import Index, IndexSettings

WORDS = ("rain", "cat", "mat", "station", "noon", "train", "roof", "river")


def make(path: Path, backend: str, rows: int, dim: int) -> list[dict[str, object]]:
    """An index with a segment, a tail, replaced and deleted documents; what it finds."""
    settings = IndexSettings(ann_min_rows=100, backend=backend, recall_floor=1.0)
    vectors = np.random.default_rng(1).normal(size=(rows + 10, dim)).astype(np.float32)
    keys = [f"k{n}" for n in range(rows + 10)]
    texts = [f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} {n}" for n in range(rows + 10)]
    facts = [{"n": n, "even": n % 2 == 0} if n % 3 else None for n in range(rows + 10)]
    info = {"made by": "make_index_format_1.py"}
    with Index.create(path, dim=dim, space="golden", info=info, settings=settings) as index:
        index.upsert(
            keys[:rows],
            documents=texts[:rows],
            vectors=vectors[:rows],
            metadatas=facts[:rows],
            notes={"a": "note"},
        )
        index.compact()
        assert index.stats().segments[0].backend == backend
        index.upsert(
            keys[rows - 5 :],
            documents=texts[rows - 5 :],
            vectors=vectors[rows - 5 :],
            metadatas=facts[rows - 5 :],
        )
        index.delete(["k0", "k7", f"k{rows + 9}"])
        queries = np.random.default_rng(2).normal(size=(3, dim)).astype(np.float32)
        return [
            {
                "query": query.tolist(),
                "hits": [[h.key, h.score] for h in index.search(query, 5, exact=True)],
                "even": [h.key for h in index.search(query, 5, where={"even": True}, exact=True)],
            }
            for query in queries
        ]


if __name__ == "__main__":
    target = Path(__file__).with_name("index-format-1")
    target.mkdir()
    found = {
        "annoy": make(target / "annoy", "annoy", 200, 16),
        "usearch": make(target / "usearch", "usearch", 200, 16),
        "codes": make(target / "codes", "exact", 4100, 4),
    }
    for lock in target.glob("*/writer.lock"):
        print(lock.stat().st_size, "bytes of", lock)
    (target / "found.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
