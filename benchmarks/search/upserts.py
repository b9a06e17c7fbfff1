"""Durable writes: one document at a time, and in batches, beside chroma and sqlite-vec.

    python -m pip install chromadb sqlite-vec apsw
    python benchmarks/search/upserts.py

Rows are random unit vectors of 384 components, with a text each in edgeembed's index; the peers get
vectors alone. All sides write into the same file system and take turns. A reader that was open all
the time then has to see the last document after a refresh.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common.results_file import write_results
from benchmarks.search.engines import ENGINES, Engine
from edgeembed import Index

DIM = 384


class WithTexts:
    """edgeembed's index, each vector with a text."""

    package = "edgeembed"

    def __init__(self, folder: Path) -> None:
        self.index = Index.create(folder / "index", dim=DIM, space="benchmark")
        self.reader = Index.open(folder / "index")

    def add(self, first: int, rows: np.ndarray) -> None:
        keys = [f"document {first + i}" for i in range(len(rows))]
        self.index.upsert(
            keys, documents=[f"The text of {key}, some words long." for key in keys], vectors=rows
        )

    def save(self) -> None:
        """upsert() has returned: it is durable."""

    def check_visible(self, at: int) -> None:
        self.reader.refresh()
        assert f"document {at}" in self.reader


def rows_of(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def timed(side: WithTexts | Engine, first: int, rows: np.ndarray) -> float:
    began = time.perf_counter()
    side.add(first, rows)
    side.save()
    return time.perf_counter() - began


def opened(name: str, folder: Path) -> WithTexts | Engine:
    folder.mkdir()
    if name == "edgeembed":
        return WithTexts(folder)
    engine = ENGINES[name](folder, DIM)
    engine.create()
    return engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--singles", type=int, default=200)
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--sides", nargs="+", default=["edgeembed", "chroma", "sqlite-vec"])
    options = parser.parse_args()
    singles = {name: [] for name in options.sides}
    batches = {name: [] for name in options.sides}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        sides = {name: opened(name, Path(place) / name) for name in options.sides}
        for at in range(options.batches):
            rows = rows_of(options.batch, at)
            for name, side in sides.items():
                batches[name].append(timed(side, at * options.batch, rows))
        first = options.batches * options.batch
        for at in range(options.singles):
            row = rows_of(1, 1000 + at)
            for name, side in sides.items():
                singles[name].append(timed(side, first + at, row))
                if isinstance(side, WithTexts):
                    side.check_visible(first + at)
    figures = {
        name: {
            "single_p50_ms": 1e3 * statistics.median(singles[name]),
            "single_p95_ms": 1e3 * statistics.quantiles(singles[name], n=20)[18],
            "rows_per_s": options.batch / statistics.median(batches[name]),
        }
        for name in options.sides
    }
    for name, found in figures.items():
        print(
            f"{name:12} one: p50 {found['single_p50_ms']:7.2f} ms, p95 "
            f"{found['single_p95_ms']:7.2f} ms; batches of {options.batch}: "
            f"{found['rows_per_s']:8.0f} rows/s"
        )
    print("written:", write_results("upserts", {"batch": options.batch, "sides": figures}).name)


if __name__ == "__main__":
    main()
