"""A process that tampers with catalogs and uses them in every way; it may die.

Each line it reads is the number of a case, and each line it writes the outcome of one, as JSON.

Run as: python -m faults.cases.tampering_process FOLDER SEED
"""

import json
import logging
import random
import shutil
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import EdgeEmbedError
from faults.cases.tampered_catalogs import tampered
from faults.harness.sealed import DIM, WORDS, text_of

QUERIES = np.random.default_rng(0).normal(size=(3, DIM))
SETTINGS = IndexSettings(seal_rows=60, ann_min_rows=50, backend="exact")
# Bytes beyond what the process has when it starts.
_MEMORY = 2 << 30
_MODES: tuple[Literal["r", "rw"], ...] = ("r", "rw")


def main(folder: Path, seed: str) -> None:
    logging.disable()
    warnings.simplefilter("error")
    bases = sorted(path for path in (folder / "sealed").iterdir())
    _limit_memory()
    for line in sys.stdin:
        chance = random.Random(f"{seed} {line.strip()}")
        work = folder / "work"
        for path in (work, folder / "copy", folder / "saved"):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(chance.choice(bases), work)
        what = tampered(work / "edgeembed.sqlite3", chance)
        print(json.dumps({"what": what, **_outcome(folder, work, chance)}), flush=True)


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def _outcome(  # noqa: C901 (all that can be asked, once)
    folder: Path, work: Path, chance: random.Random
) -> dict[str, object]:
    counts: Counter[str] = Counter()
    problems: list[str] = []

    def attempt(name: str, action: Callable[[], object]) -> bool:
        try:
            action()
        except EdgeEmbedError as error:
            counts[type(error).__name__] += 1
            return False
        except BaseException as error:
            counts["untyped"] += 1
            problems.append(f"{name}: {type(error).__name__} {traceback.format_exc()[-1500:]}")
            return False
        counts["answers"] += 1
        return True

    # One or the other: what a writer does to a catalog is done before a reader looks, or after.
    for mode in chance.sample(_MODES, chance.choice((1, 1, 2))):
        opened: list[Index] = []

        def open_it(mode: Literal["r", "rw"] = mode, opened=opened) -> None:
            opened.append(Index.open(work, mode=mode, settings=SETTINGS, lock_timeout_s=0))

        if attempt(f"open {mode}", open_it):
            (index,) = opened
            if mode == "r":
                for name, ask in _questions(index).items():
                    attempt(name, ask)
                attempt("backup", lambda index=index: index.backup(folder / "copy"))
            else:
                for name, change in _changes(index).items():
                    attempt(name, change)
                for name, ask in _questions(index).items():
                    attempt(f"written {name}", ask)
            attempt("close", index.close)
    if chance.random() < 0.3:
        attempt("repair", lambda: Index.repair(work, folder / "saved"))
    return {"counts": counts, "problems": problems}


def _questions(index: Index) -> dict[str, Callable[[], object]]:
    keys = [str(i) for i in range(250)]
    return {
        "properties": lambda: (index.dim, index.space, dict(index.info), index.generation),
        "len": lambda: len(index),
        "in": lambda: "3" in index,
        "keys": lambda: [key.encode() for key in index.keys("")],
        "keys of a prefix": lambda: [key.encode() for key in index.keys("1")],
        "get": lambda: [found and (found.document or "").encode() for found in index.get(keys)],
        "vectors": lambda: index.vectors(list(index.keys())),
        "notes": lambda: [(k + v).encode() for k, v in index.notes().items()],
        "exact": lambda: index.search(QUERIES[0], 12, exact=True),
        "approximate": lambda: index.search_many(QUERIES, 12),
        "many": lambda: index.search(QUERIES[0], 10**6),
        "keyword": lambda: index.search(WORDS[0], 12, mode="keyword", context=2),
        "phrase": lambda: index.search(f'"{WORDS[1]} {WORDS[2]}" -{WORDS[0]}', mode="keyword"),
        "hybrid": lambda: index.search(WORDS[1], 5, vector=QUERIES[1], distinct="n", context=1),
        "rrf": lambda: index.search(WORDS[1], 5, vector=QUERIES[1], fusion="rrf"),
        "filter": lambda: index.search(QUERIES[1], where={"n": {"$lt": 90}}, exclude=["7", "8"]),
        "recommend": lambda: index.recommend(["3", "5"], ["7"]),
        "batches": lambda: [batch.vectors.sum() for batch in index.batches(32)],
        "filtered batches": lambda: list(index.batches(64, where={"n": {"$gt": 3}})),
        "stats": index.stats,
        "verify quickly": lambda: index.verify(full=False),
        "verify": index.verify,
        "refresh": index.refresh,
    }


def _changes(index: Index) -> dict[str, Callable[[], object]]:
    def upsert(*keys: str, **options) -> None:
        documents = [text_of(key) for key in keys]
        index.upsert(list(keys), documents=documents, vectors=np.ones((len(keys), DIM)), **options)

    return {
        "upsert new": lambda: upsert("500", "501"),
        "upsert known": lambda: upsert("3", "160", "215", metadatas=[{"n": 1}, None, {}]),
        "delete": lambda: index.delete(["4", "200", "nowhere"]),
        "write notes": lambda: index.upsert([], notes={"x": "y", "z": None}),
        "seal": lambda: upsert(*(str(i) for i in range(600, 670))),
        "compact": index.compact,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
