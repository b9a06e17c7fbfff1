"""Whether approximate search keeps its promise of recall, and what that costs beside bare usearch.

    python -m pip install faiss-cpu usearch
    python benchmarks/search/recall_promise.py --rows rows.npy --queries held=a.npy questions=b.npy

The files hold (n, d) float vectors; queries must not be among the rows. Both sides search the same
rows in one process, one query at a time, and take turns. The bare graph has the settings of
edgeembed's graphs, and is tried at several efforts: `beside` compares times at the same true
recall, by interpolation between them. Its answers are neither scored exactly nor documents.
"""

import argparse
import importlib.metadata
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.results_file import write_results
from edgeembed import Index, IndexSettings

BATCH = 8192
DEPTHS = (1, 10, 50, 100)
EFFORTS = (32, 64, 128, 256, 512, 1024)


def unit(path: Path, limit: int | None) -> np.ndarray:
    rows = np.load(path)[:limit].astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def true_neighbors(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    best = np.empty((len(queries), DEPTHS[-1]), np.int64)
    for at in range(0, len(queries), 16):
        scores = queries[at : at + 16] @ rows.T
        some = np.argpartition(-scores, DEPTHS[-1], axis=1)[:, : DEPTHS[-1]]
        order = np.argsort(-np.take_along_axis(scores, some, 1), axis=1, kind="stable")
        best[at : at + 16] = np.take_along_axis(some, order, 1)
    return best


def build_index(folder: Path, rows: np.ndarray, backend: str, floor: float) -> tuple[Index, float]:
    settings = IndexSettings(backend=backend, recall_floor=floor, ann_min_rows=1)
    index = Index.create(folder, dim=rows.shape[1], space="benchmark", settings=settings)
    began = time.process_time()
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        index.upsert([str(start + i) for i in range(len(part))], vectors=part)
    index.compact()
    return index, time.process_time() - began


def build_bare(rows: np.ndarray) -> tuple[Any, float]:
    from usearch.index import Index as Graph

    graph = Graph(ndim=rows.shape[1], metric="ip", dtype="i8", connectivity=16, expansion_add=192)
    began = time.process_time()
    graph.add(np.arange(len(rows)), rows)
    return graph, time.process_time() - began


def bare_search(graph: Any, effort: int, k: int) -> Callable[[np.ndarray], list[int]]:
    # usearch keeps as many candidates as results are asked for, if that is more than its setting.
    return lambda query: graph.search(query, max(effort, k), threads=1).keys[:k].tolist()


def compare(index: Index, graph: Any, queries: np.ndarray, truth: np.ndarray, k: int) -> Any:
    sides: dict[str, Callable[[np.ndarray], list[int]]] = {
        "edgeembed": lambda query: [int(hit.key) for hit in index.search(query, k)]
    }
    sides |= {str(e): bare_search(graph, e, k) for e in EFFORTS if e >= k}
    times: dict[str, list[float]] = {name: [] for name in sides}
    recalls: dict[str, list[float]] = {name: [] for name in sides}
    for query, true in zip(queries, truth[:, :k].tolist(), strict=True):
        for name, search in sides.items():
            began = time.perf_counter()
            found = search(query)
            times[name].append((time.perf_counter() - began) * 1e3)
            recalls[name].append(len(set(found) & set(true)) / k)
    ours = recalls.pop("edgeembed")
    bare_recall = [statistics.fmean(found) for found in recalls.values()]
    bare_ms = [statistics.median(times[name]) for name in recalls]
    same = float(np.interp(statistics.fmean(ours), bare_recall, bare_ms))
    p50 = statistics.median(times["edgeembed"])
    return {
        "k": k,
        "recall": statistics.fmean(ours),
        "standard_error": statistics.stdev(ours) / len(ours) ** 0.5,
        "p50_ms": p50,
        "p95_ms": statistics.quantiles(times["edgeembed"], n=20)[18],
        "bare_ms_at_this_recall": same,
        "beside": p50 / same,
        "bare": dict(zip(recalls, zip(bare_recall, bare_ms, strict=True), strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--queries", nargs="+", required=True, metavar="NAME=FILE")
    parser.add_argument("--limit", type=int, help="take so many rows")
    parser.add_argument("--count", type=int, default=2000, help="take so many queries of a file")
    parser.add_argument("--backend", default="faiss", help="of edgeembed's index")
    parser.add_argument("--floor", type=float, default=0.99)
    parser.add_argument("--name", default="recall-promise", help="of the results file")
    options = parser.parse_args()
    rows = unit(options.rows, options.limit)
    with tempfile.TemporaryDirectory() as place:
        index, index_s = build_index(Path(place) / "index", rows, options.backend, options.floor)
        graph, bare_s = build_bare(rows)
        (segment,) = index.stats().segments
        print(f"{len(rows)} rows: {index_s:.0f} s of processor time, bare graph {bare_s:.0f} s")
        print(f"{segment.backend}, measured {segment.recall}, bound {segment.recall_bound}")
        figures: list[Any] = []
        for name, path in (given.split("=", 1) for given in options.queries):
            queries = unit(Path(path), options.count)
            truth = true_neighbors(rows, queries)
            for k in DEPTHS:
                found = {"queries": name} | compare(index, graph, queries, truth, k)
                figures.append(found)
                print(
                    f"{name} k={k}: recall {found['recall']:.4f} +- {found['standard_error']:.4f}, "
                    f"p50 {found['p50_ms']:.2f} ms, p95 {found['p95_ms']:.2f} ms, bare "
                    f"{found['bare_ms_at_this_recall']:.2f} ms, beside {found['beside']:.2f}",
                    flush=True,
                )
        index.close()
    tree = {
        "rows": len(rows),
        "backend": segment.backend,
        "floor": options.floor,
        "measured": segment.recall,
        "bound": segment.recall_bound,
        "build_cpu_s": index_s,
        "bare_build_cpu_s": bare_s,
        "figures": figures,
    }
    versions = {name: importlib.metadata.version(name) for name in ("faiss-cpu", "usearch")}
    print("written:", write_results(options.name, tree, versions).name)


if __name__ == "__main__":
    main()
