"""edgeembed serve beside infinity-emb and beside FastAPI over sentence-transformers, same model.

`--setup` makes the peers' environments and locust's (pip, about 5 GB); the benchmark itself needs
no network. All servers run, and take turns under closed loops of 1 to 512 clients with one short
text a request; then under 8 such clients beside 2 that send 32 passages at once. edgeembed runs its
int8 variant, the peers what they run by default. Load is made on the same processors.
"""

import argparse
import contextlib
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.model_and_texts import passages, short_texts
from benchmarks.common.results_file import write_results
from benchmarks.encoding.peers.environments import make_environment
from benchmarks.serve.load import load
from benchmarks.serve.sides import PEERS, SIDES, Server, body, serving

CLIENTS = (1, 8, 64, 512)
MIXED = "8 + 2 bulk"
TASKS = (*map(str, CLIENTS), MIXED)
PAUSE_S = 0.5
PORT = 8710
FIGURES = ("per_second", "p50_ms", "p90_ms", "p99_ms")


def tasks() -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """The groups of clients of each task, by its name."""
    short = [body([text]) for text in short_texts(256)]
    texts = passages(256)
    bulk = [body(texts[start : start + 32]) for start in range(0, len(texts), 32)]
    closed = {f"{n}": {"short": {"bodies": short, "clients": n}} for n in CLIENTS}
    mixed = {
        "short": {"bodies": short, "clients": 8},
        "bulk": {"bodies": bulk, "clients": 2},
    }
    return {**closed, MIXED: mixed}


def measure(
    servers: Mapping[str, Server], locust: Path, names: Sequence[str], rounds: int, seconds: float
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Figures of each side and named task, a list over the rounds."""
    found = {name: {task: [] for task in names} for name in servers}
    chosen = {task: groups for task, groups in tasks().items() if task in names}
    for number in range(rounds):
        for task, groups in chosen.items():
            for name, server in servers.items():
                time.sleep(PAUSE_S)
                met = load(locust, server, groups, seconds=seconds)
                found[name][task].append(
                    {group: each.figures() for group, each in met.groups.items()}
                )
        print(f"round {number + 1} of {rounds}", flush=True)
    return found


def middle(rows: list[dict[str, Any]], group: str, figure: str) -> float:
    return round(statistics.median(row[group].get(figure, float("nan")) for row in rows), 1)


def ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> float:
    """How many times the peer's requests a second, the median over the rounds."""
    pairs = zip(ours, theirs, strict=True)
    rates = [a["short"]["per_second"] / max(b["short"]["per_second"], 0.1) for a, b in pairs]
    return round(statistics.median(rates), 1)


def summary(found: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, by_task in found.items():
        table[name] = {}
        for task, rows in by_task.items():
            groups = {
                group: {figure: middle(rows, group, figure) for figure in FIGURES}
                for group in rows[0]
            }
            if name != "edgeembed" and "edgeembed" in found:
                groups["short"]["edgeembed_is_times"] = ratio(found["edgeembed"][task], rows)
            table[name][task] = groups
    return table


def show(table: Mapping[str, Any]) -> None:
    print(
        f"{'clients':12} {'server':10} {'group':6} {'per s':>8} {'p50':>8} {'p90':>8} {'p99':>8} ms"
    )
    for task in next(iter(table.values()), {}):
        for name, by_task in table.items():
            for group, figures in by_task[task].items():
                row = " ".join(f"{figures[each]:8.1f}" for each in FIGURES)
                times = figures.get("edgeembed_is_times")
                print(f"{task:12} {name:10} {group:6} {row}", f"  x {times}" if times else "")


def versions(name: str, envs: Path) -> dict[str, str]:
    """Of a side's packages, in its own environment."""
    names = SIDES[name].packages
    code = f"from importlib.metadata import version as v; print(*map(v, {names!r}))"
    said = subprocess.run(
        [SIDES[name].python(envs), "-c", code], check=True, capture_output=True, text=True
    )
    return dict(zip(names, said.stdout.split(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envs", type=Path, required=True, help="folder of the environments")
    parser.add_argument("--setup", action="store_true", help="make the environments")
    parser.add_argument("--only", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--clients", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    options = parser.parse_args()
    envs = options.envs.absolute()
    if options.setup:
        for name in ("locust", *(side.env for side in SIDES.values() if side.env != "current")):
            make_environment(envs / name, PEERS / f"requirements-{name}.txt")
        return
    missing: dict[str, str] = {}
    with contextlib.ExitStack() as running:
        servers: dict[str, Server] = {}
        for number, name in enumerate(options.only):
            try:
                servers[name] = running.enter_context(serving(SIDES[name], envs, PORT + number))
            except (OSError, RuntimeError) as error:
                missing[name] = str(error)
                print("left out:", name, "-", error, flush=True)
        found = measure(
            servers,
            envs / "locust" / "bin" / "python",
            options.clients,
            options.rounds,
            options.seconds,
        )
        resident = {name: round(server.resident_mb()) for name, server in servers.items()}
    table = summary(found)
    show(table)
    figures = {"medians": table, "resident_mb": resident, "missing": missing, "rounds": found}
    print("written:", write_results("serve", figures, {n: versions(n, envs) for n in servers}))


if __name__ == "__main__":
    main()
