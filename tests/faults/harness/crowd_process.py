"""One of many processes on an index: a writer among rivals, or a reader that trusts nothing.

Run as: python -m faults.harness.crowd_process ROLE PATH NAME SECONDS. Its last line of output
is JSON: how much it did, or what it found wrong.
"""

import json
import random
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from edgeembed import Hit, Index, IndexSettings
from edgeembed_runtime.errors import IndexLockedError
from edgeembed_runtime.index.base.unit_vectors import unit_rows

DIM = 8
ROWS = 6
# A writer gives the lock up after a few batches; a few batches seal and merge.
_TURN = 4
_SETTINGS = IndexSettings(seal_rows=40, backend="exact")


def keys_of(writer: str, number: int) -> list[str]:
    """The keys of one batch of a writer."""
    return [f"{writer}:{number}:{row}" for row in range(ROWS)]


def vector_of(key: str) -> np.ndarray:
    """What every process expects under a key: (DIM,) float32 of unit length."""
    seed = int.from_bytes(key.encode(), "little")
    return unit_rows(np.random.default_rng(seed).normal(size=(1, DIM)), dim=DIM, what="v")[0]


def text_of(key: str) -> str:
    """The document of a key."""
    return f"document {key}"


def write(path: Path, name: str, until: float) -> dict:
    """Write batch after batch, against the others; returns how many were acknowledged."""
    number = refused = 0
    while time.monotonic() < until:
        try:
            index = Index.open(path, mode="rw", settings=_SETTINGS, lock_timeout_s=0)
        except IndexLockedError:
            refused += 1
            time.sleep(0.002)
            continue
        with index:
            for _ in range(_TURN):
                keys = keys_of(name, number)
                texts, vectors = [text_of(key) for key in keys], [vector_of(key) for key in keys]
                index.upsert(keys, documents=texts, vectors=np.stack(vectors))
                number += 1
            if number % 40 == 0:
                index.compact()
        time.sleep(0.002)  # or the others would hardly ever come in between
    return {"batches": number, "refused": refused}


def read(path: Path, name: str, until: float) -> dict:
    """Read again and again; returns how often, and how many generations were seen."""
    chance = random.Random(name)
    looks = generations = 0
    with Index.open(path) as index:
        last, count = index.generation, len(index)
        while time.monotonic() < until:
            index.refresh()
            now = index.generation
            assert now >= last, f"generation {now} after {last}"
            assert len(index) >= count, f"{len(index)} documents after {count}"
            generations += now > last
            last, count = now, len(index)
            query = np.random.default_rng(chance.randrange(1 << 30)).normal(size=DIM)
            for hit in index.search(query, 5, exact=True):
                _check(index, hit, query / np.linalg.norm(query))
            looks += 1
    return {"looks": looks, "generations": generations}


def _check(index: Index, hit: Hit, query: np.ndarray) -> None:
    """Key, text and vector belong together, and all of the batch is there."""
    assert hit.document == text_of(hit.key), hit
    assert abs(hit.score - float(vector_of(hit.key) @ query)) < 1e-5, hit
    writer, number, _ = hit.key.split(":")
    batch = index.get(keys_of(writer, int(number)))
    assert all(each is not None for each in batch), f"a part of {writer}:{number}"


def main() -> None:
    role, path, name, seconds = sys.argv[1:]
    try:
        found = {"write": write, "read": read}[role](
            Path(path), name, time.monotonic() + float(seconds)
        )
    except BaseException:
        found = {"failed": traceback.format_exc()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
