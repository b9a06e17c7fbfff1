"""One engine in a process of its own: reads a JSON request a line, answers with one.

python worker.py ENGINE FOLDER     requests: {"do": "build" | "open" | "tune" | "search", ...}
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.engines import BATCH, ENGINES, Engine


def resident_mb() -> float:
    """Resident memory now, where the system tells (Linux), in megabytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """The most memory that was resident, `rows` included, in megabytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # On Linux ru_maxrss begins with what the process had that started this one.
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def build(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    rows = np.load(request["rows"], mmap_mode="r")
    began = time.perf_counter()
    engine.create()
    for start in range(0, len(rows), BATCH):
        engine.add(start, np.array(rows[start : start + BATCH]))
    engine.finish()
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in engine.folder.rglob("*") if path.is_file())
    return {"build_s": seconds, "disk_mb": size / 1e6, "build_peak_mb": peak_mb()}


def open_index(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    queries = np.load(request["queries"])
    began = time.perf_counter()
    engine.open()
    opened = time.perf_counter()
    engine.search(queries[0], request["k"])
    first = time.perf_counter()
    return {"open_ms": (opened - began) * 1e3, "first_ms": (first - opened) * 1e3}


def tune(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """Take the least effort that reaches the recall wanted, on queries that are not measured."""
    queries, truth = np.load(request["queries"]), np.load(request["truth"])
    for effort in engine.efforts:
        engine.effort = effort
        found = [engine.search(query, truth.shape[1]) for query in queries]
        hits = [len(set(f) & set(t)) for f, t in zip(found, truth.tolist(), strict=True)]
        if sum(hits) >= request["recall"] * truth.size:
            break
    return {"effort": engine.effort}


def search(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    queries = np.load(request["queries"])[request["start"] : request["end"]]
    times: list[float] = []
    found: list[list[int]] = []
    for query in queries:
        began = time.perf_counter()
        found.append(engine.search(query, request["k"]))
        times.append((time.perf_counter() - began) * 1e3)
    return {"ms": times, "found": found, "resident_mb": resident_mb()}


DO = {"build": build, "open": open_index, "tune": tune, "search": search}


def main() -> None:
    name, folder, dim = sys.argv[1:4]
    engine = ENGINES[name](Path(folder), int(dim))
    importlib.import_module(engine.module)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(DO[request["do"]](engine, request)), flush=True)


if __name__ == "__main__":
    main()
