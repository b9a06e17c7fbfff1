"""Make tests/runtime/golden/index-format-2. Run once, when format 2 was published, and for faiss
when that was added.

What it wrote is never written again: a later edgeembed must read the indexes that an earlier one
made. A format 3 gets a script and a folder of its own. Needs Annoy, faiss and usearch.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed import Index, IndexSettings, UnknownTextWarning

WORDS = ("rain", "cat", "mat", "station", "noon", "train", "roof", "river")
OTHERS = ("我住在東京都。", "C++ and C#", "snake_case v2.13.1", "in der Straße")
QUERIES = (
    "東京",
    "C++",
    "c#",
    "snake case",
    "v2.13.1",
    "strasse",
    "cat rain",
    '"rain cat"',
    "Head",
)


@dataclass(frozen=True)
class Encoder:
    """Knows no word, so that documents without a vector of their own get none."""

    dim: int
    space: str = "golden"
    similarity_name: str = "cosine"
    normalized: bool = True

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """None of them."""
        return [False] * len(texts)

    def encode_document(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """Never asked."""
        raise NotImplementedError

    def encode_query(self, inputs: Sequence[str] | str) -> NDArray[np.float32]:
        """Never asked."""
        raise NotImplementedError


def make(path: Path, backend: str, rows: int, dim: int) -> dict[str, object]:
    """An index with a segment, a tail, titles, replaced, deleted and blank documents."""
    settings = IndexSettings(ann_min_rows=100, backend=backend, recall_floor=0.99)
    vectors = np.random.default_rng(1).normal(size=(rows + 10, dim)).astype(np.float32)
    keys = [f"k{n}" for n in range(rows + 10)]
    texts = [f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} {n}" for n in range(rows + 10)]
    titles = [f"Head {n}" if n % 5 == 0 else None for n in range(rows + 10)]
    facts = [{"n": n, "even": n % 2 == 0} if n % 3 else None for n in range(rows + 10)]
    info = {"made by": "make_index_format_2.py"}
    encoder = Encoder(dim)
    with Index.create(path, encoder=encoder, info=info, settings=settings) as index:
        index.upsert([f"o{n}" for n in range(2)], documents=OTHERS[:2], titles=["Other", None])
        index.upsert(
            keys[:rows],
            documents=texts[:rows],
            vectors=vectors[:rows],
            metadatas=facts[:rows],
            titles=titles[:rows],
            notes={"a": "note"},
        )
        index.compact()
        assert index.stats().segments[0].backend == backend
        index.upsert(
            keys[rows - 5 :],
            documents=texts[rows - 5 :],
            vectors=vectors[rows - 5 :],
            metadatas=facts[rows - 5 :],
            titles=titles[rows - 5 :],
        )
        index.upsert([f"o{n}" for n in range(2, 4)], documents=OTHERS[2:])
        index.delete(["k0", "k7", f"k{rows + 9}"])
        queries = np.random.default_rng(2).normal(size=(3, dim)).astype(np.float32)
        return {
            "vectors": [
                {
                    "query": query.tolist(),
                    "hits": [[h.key, h.score] for h in index.search(query, 5, exact=True)],
                    "even": [
                        h.key for h in index.search(query, 5, where={"even": True}, exact=True)
                    ],
                }
                for query in queries
            ],
            "words": {
                text: [h.key for h in index.search(text, 5, mode="keyword")] for text in QUERIES
            },
        }


if __name__ == "__main__":
    warnings.simplefilter("ignore", UnknownTextWarning)
    target = Path(__file__).with_name("index-format-2")
    target.mkdir()
    found = {
        "annoy": make(target / "annoy", "annoy", 200, 16),
        "faiss": make(target / "faiss", "faiss", 200, 16),
        "usearch": make(target / "usearch", "usearch", 200, 16),
        "codes": make(target / "codes", "exact", 4100, 4),
    }
    for lock in target.glob("*/writer.lock"):
        print(lock.stat().st_size, "bytes of", lock)
    (target / "found.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
