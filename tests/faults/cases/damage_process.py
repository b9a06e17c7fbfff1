"""A process that damages files, uses them, and reports the outcome; it may die.

Each line it reads is the number of a case, and each line it writes the outcome of one, as JSON.

Run as: python -m faults.cases.damage_process FOLDER SEED
"""

import contextlib
import json
import logging
import random
import shutil
import sqlite3
import sys
import traceback
from pathlib import Path

import numpy as np

from edgeembed import Index, IndexSettings
from edgeembed_runtime import storage
from edgeembed_runtime.errors import EdgeEmbedError
from faults.harness.mutations import damaged
from faults.harness.sealed import DIM, WORDS, text_of

QUERIES = np.random.default_rng(0).normal(size=(3, DIM))
SETTINGS = IndexSettings(seal_rows=60, ann_min_rows=50, backend="exact")
_WRITE_EVERY = 3


class Wrong(Exception):
    """The index lied."""


def main(folder: Path, seed: str) -> None:
    logging.disable()  # thousands of warnings of damage, which is known
    bases = sorted(path for path in (folder / "sealed").iterdir())
    truths = {path: _answers(path) for path in bases}
    for line in sys.stdin:
        number = int(line)
        chance = random.Random(f"{seed} {number}")
        base = chance.choice(bases)
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work)
        what = _damage(work, bases, chance)
        outcome = {"number": number, "what": what, **_outcome(work, truths[base], what, number)}
        print(json.dumps(outcome), flush=True)


def _damage(work: Path, bases: list[Path], chance: random.Random) -> str:
    """Damage a file, or swap two; returns which and how."""
    files = [work / "edgeembed.sqlite3", *sorted((work / "seg").iterdir())]
    file = chance.choice([files[0], *files])
    kind = chance.random()
    if kind < 0.1:
        others = [path for base in bases for path in base.rglob(f"*{file.suffix}")]
        other = chance.choice(others)
        file.write_bytes(other.read_bytes())
        return f"{file.suffix} of another index or segment"
    if kind < 0.2:
        file, other = chance.sample(files, 2)
        data = file.read_bytes()
        file.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return f"{file.suffix} and {other.suffix} exchanged"
    for _ in range(chance.choice((1, 1, 1, 3))):
        file.write_bytes(damaged(file.read_bytes(), chance))
    if kind < 0.4 and file.suffix != ".sqlite3":
        _hash_again(work, file)
        return f"{file.suffix} damaged, with a hash that matches"
    return f"{file.suffix} damaged"


def _hash_again(work: Path, file: Path) -> None:
    connection = sqlite3.connect(work / "edgeembed.sqlite3", isolation_level=None)
    connection.execute(
        "UPDATE segfile SET sha256 = ?, bytes = ? WHERE name = ?",
        (storage.sha256_file(file), file.stat().st_size, file.name),
    )
    connection.close()


def _outcome(work: Path, truth: dict, what: str, number: int) -> dict[str, str]:
    try:
        result = _read(work, truth, trusted="matches" in what)
        if number % _WRITE_EVERY == 0:
            _write(work)
    except Wrong as error:
        return {"result": "wrong", "problem": str(error)}
    except Exception:
        return {"result": "not typed", "problem": traceback.format_exc()}
    return {"result": result}


def _read(work: Path, truth: dict, *, trusted: bool) -> str:
    """Run every query. With `trusted`, hashes were forged: answers may be wrong, texts may not."""
    try:
        with Index.open(work) as index:
            sound = index.verify().ok
            found = _asked(index)
    except EdgeEmbedError:
        return "refused"
    if trusted:
        return "read"
    if not sound:
        return "reported by verify()"
    for question, answer in truth.items():
        if found[question] != answer:
            raise Wrong(f"verify() is content, but {question}: {found[question]} not {answer}")
    return "not damaged in effect"


def _write(work: Path) -> None:
    with (
        contextlib.suppress(EdgeEmbedError),
        Index.open(work, mode="rw", settings=SETTINGS) as index,
    ):
        index.upsert(["500"], documents=[text_of("500")], vectors=np.ones((1, DIM)))
        _asked(index)
        index.compact()
        _asked(index)


def _answers(path: Path) -> dict:
    with Index.open(path) as index:
        return _asked(index)


def _asked(index: Index) -> dict:
    """Every kind of query; a typed error is a valid answer, the wrong text for a key is not."""
    keys = [str(i) for i in range(250)]
    questions = {
        "the number of documents": lambda: len(index),
        "all keys": lambda: list(index.keys()),
        "get": lambda: _texts(index, keys),
        "a filter": lambda: _hits(index, QUERIES[0], where={"n": {"$lt": 40}}, exact=True),
        "keyword search": lambda: _hits(index, WORDS[0], mode="keyword"),
        **{
            f"exact search {i}": lambda query=query: _hits(index, query, exact=True)
            for i, query in enumerate(QUERIES)
        },
    }
    found = {}
    for question, ask in questions.items():
        try:
            found[question] = ask()
        except EdgeEmbedError as error:
            found[question] = f"{type(error).__name__}"
    for query in QUERIES:
        with contextlib.suppress(EdgeEmbedError):
            _hits(index, query)
    return found


def _texts(index: Index, keys: list[str]) -> list[str | None]:
    found = index.get(keys)
    for key, stored in zip(keys, found, strict=True):
        if stored is not None and (stored.key != key or stored.document != text_of(key)):
            raise Wrong(f"get({key!r}) gave {stored}")
    return [None if stored is None else stored.document for stored in found]


def _hits(index: Index, query, **options) -> list:
    hits = index.search(query, 12, **options)
    for hit in hits:
        if hit.document != text_of(hit.key):
            raise Wrong(f"a search gave {hit}")
    return [(hit.key, round(hit.score, 5)) for hit in hits]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
