"""Search in real vectors, one query at a time: edgeembed's index beside other vector indexes.

    python -m pip install hnswlib usearch faiss-cpu chromadb sqlite-vec apsw
    python benchmarks/search/compare_peers.py --texts texts.txt.gz

`--texts` has a text a line (.gz is read as well); without it, texts of the standard library's
documentation are used. More rows than there are texts are made by adding noise. Each engine runs
in a process of its own, and they take turns. Those with a knob for recall are tuned to `--recall`
with other queries than those measured.
"""

import argparse
import gzip
import hashlib
import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.model_and_texts import bundle, short_texts
from benchmarks.common.results_file import write_results
from benchmarks.search.engines import ENGINES
from edgeembed import Encoder

WORKER = Path(__file__).with_name("worker.py")
K, TUNING = 10, 100


def read_texts(path: Path | None) -> list[str]:
    if path is None:
        return sorted(set(short_texts(4000)))
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def real_vectors(texts: list[str]) -> np.ndarray:
    """The texts' vectors, encoded once per machine."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    cached = bundle().with_name(f"{digest[:16]}.npy")
    if not cached.exists():
        print(f"encoding {len(texts)} texts", flush=True)
        with Encoder.load(bundle(), variant="int8") as encoder:
            np.save(cached, encoder.encode(texts))
    return np.load(cached)


def vectors(path: Path | None, count: int) -> np.ndarray:
    real = real_vectors(read_texts(path))
    rng = np.random.default_rng(1)
    rng.shuffle(real)
    copies = [real]
    while sum(map(len, copies)) < count:
        noisy = real + rng.normal(0, 0.02, real.shape).astype(np.float32)
        copies.append(noisy / np.linalg.norm(noisy, axis=1, keepdims=True))
    # The first are the texts themselves: queries are taken from there.
    return np.concatenate(copies)[:count]


def true_neighbors(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    best = np.empty((len(queries), K), np.int64)
    for at in range(0, len(queries), 16):
        scores = queries[at : at + 16].astype(np.float64) @ rows.T.astype(np.float64)
        best[at : at + 16] = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return best


class Worker:
    """A process that runs one engine."""

    def __init__(self, name: str, folder: Path, dim: int) -> None:
        folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", WORKER, name, folder, str(dim)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **values}, default=str) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(ENGINES[name].package)
    except importlib.metadata.PackageNotFoundError:
        print(f"{name}: left out, {ENGINES[name].package} is not installed")
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--recall", type=float, default=0.99)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    options = parser.parse_args()
    versions = {name: found for name in options.engines if (found := installed(name))}
    with tempfile.TemporaryDirectory() as place:
        figures = compare(list(versions), options, Path(place))
    show(figures)
    name = "search" if options.rows == 100_000 else f"search-{options.rows}"
    tree = {"rows": options.rows, "recall_wanted": options.recall, "engines": figures}
    print("written:", write_results(name, tree, versions).name)


def compare(names: list[str], options: argparse.Namespace, place: Path) -> dict[str, Any]:
    count = options.queries + TUNING
    rows = vectors(options.texts, options.rows + count)
    rows, tuning, queries = rows[count:], rows[:TUNING], rows[TUNING:count]
    truth = true_neighbors(rows, queries)
    for name, array in {
        "rows": rows,
        "queries": queries,
        "tuning": tuning,
        "truth": true_neighbors(rows, tuning),
    }.items():
        np.save(place / f"{name}.npy", array)
    dim = rows.shape[1]
    del rows
    figures: dict[str, Any] = {}
    for name in names:
        worker = Worker(name, place / name, dim)
        figures[name] = worker.ask("build", rows=place / "rows.npy")
        worker.close()
        print(f"{name}: built in {figures[name]['build_s']:.1f} s", flush=True)
    workers = {name: Worker(name, place / name, dim) for name in names}
    for name, worker in workers.items():
        figures[name] |= worker.ask("open", queries=place / "tuning.npy", k=K)
        tuned = {"queries": place / "tuning.npy", "truth": place / "truth.npy"}
        figures[name] |= worker.ask("tune", recall=options.recall, **tuned)
    measure(workers, figures, truth, options, place)
    for worker in workers.values():
        worker.close()
    return figures


def measure(
    workers: dict[str, Worker],
    figures: dict[str, Any],
    truth: np.ndarray,
    options: argparse.Namespace,
    place: Path,
) -> None:
    """All queries in rounds; in each, every engine answers the same part after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    shared = dict.fromkeys(workers, 0)
    size = options.queries // options.rounds
    for start in range(0, size * options.rounds, size):
        for name, worker in workers.items():
            part = {"queries": place / "queries.npy", "start": start, "k": K}
            worker.ask("search", **part, end=start + 10)
            answer = worker.ask("search", **part, end=start + size)
            times[name] += answer["ms"]
            figures[name]["resident_mb"] = answer["resident_mb"]
            for found, true in zip(answer["found"], truth[start:].tolist(), strict=False):
                shared[name] += len(set(found) & set(true))
    for name in workers:
        figures[name]["p50_ms"] = statistics.median(times[name])
        figures[name]["p95_ms"] = statistics.quantiles(times[name], n=20)[18]
        figures[name]["recall"] = shared[name] / (K * len(times[name]))


def show(figures: dict[str, Any]) -> None:
    print(f"{'':20} {'recall@10':>9} {'p50':>9} {'p95':>9} {'build':>8} {'open':>9}", end="")
    print(f" {'disk':>8} {'memory':>8}")
    for name, found in figures.items():
        print(
            f"{name:20} {found['recall']:>9.4f} {found['p50_ms']:>6.2f} ms "
            f"{found['p95_ms']:>6.2f} ms {found['build_s']:>6.1f} s {found['open_ms']:>6.0f} ms "
            f"{found['disk_mb']:>5.0f} MB {found['resident_mb']:>5.0f} MB"
        )


if __name__ == "__main__":
    main()
