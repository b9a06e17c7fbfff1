"""Search over real vectors: the index exactly and with Annoy, against numpy alone, in turns.

The vectors are of passages of the standard library's documentation; more rows than there are
passages are made by mixing two and adding noise, which keeps them on the model's sphere.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from model_and_texts import bundle, short_texts
from results_file import write_results

from edgeembed import Encoder, Index

K = 10


def vectors(count: int, seed: int) -> np.ndarray:
    with Encoder.load(bundle(), variant="int8") as encoder:
        real = encoder.encode(sorted(set(short_texts(4000))))
    rng = np.random.default_rng(seed)
    first, second = rng.integers(len(real), size=(2, count))
    share = rng.uniform(0.5, 1, (count, 1)).astype(np.float32)
    mixed = share * real[first] + (1 - share) * real[second]
    mixed += rng.normal(0, 0.02, mixed.shape).astype(np.float32)
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()
    rows = vectors(options.rows + options.queries, seed=1)
    rows, queries = rows[: options.rows], rows[options.rows :]
    with tempfile.TemporaryDirectory() as folder:
        index, built = build(Path(folder) / "bench.index", rows)
        figures = measure(index, rows, queries)
        stats = index.stats()
        index.close()
    figures["build_seconds"] = built
    figures["segments"] = [vars(segment) for segment in stats.segments]
    print(f"{options.rows} rows of {rows.shape[1]}, built in {built:.1f} s")
    for name, value in figures["median_ms"].items():
        print(f"{name:14} {value:>8.2f} ms   recall@{K} {figures['recall'][name]:.4f}")
    print("written:", write_results("search", figures).name)


def build(path: Path, rows: np.ndarray) -> tuple[Index, float]:
    began = time.perf_counter()
    index = Index.create(path, dim=rows.shape[1], space="benchmark")
    for start in range(0, len(rows), 8192):
        block = rows[start : start + 8192]
        index.upsert([str(start + i) for i in range(len(block))], vectors=block)
    index.compact()
    return index, time.perf_counter() - began


def measure(index: Index, rows: np.ndarray, queries: np.ndarray) -> dict:
    def by_numpy(query: np.ndarray) -> list[str]:
        scores = rows @ query
        best = np.argpartition(-scores, K)[:K]
        return [str(row) for row in best[np.argsort(-scores[best])]]

    sides = {
        "numpy": by_numpy,
        "index, exact": lambda query: [hit.key for hit in index.search(query, K, exact=True)],
        "index": lambda query: [hit.key for hit in index.search(query, K)],
    }
    seconds = {name: [] for name in sides}
    shared = dict.fromkeys(sides, 0)
    for query in queries:
        truth: set[str] = set()
        for name, search in sides.items():
            began = time.perf_counter()
            found = search(query)
            seconds[name].append(time.perf_counter() - began)
            truth = truth or set(found)
            shared[name] += len(truth & set(found))
    return {
        "median_ms": {name: statistics.median(values) * 1e3 for name, values in seconds.items()},
        "recall": {name: count / (K * len(queries)) for name, count in shared.items()},
    }


if __name__ == "__main__":
    main()
