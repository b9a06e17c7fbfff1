"""What `edgeembed serve` promises, measured: overhead, throughput, tails, overload, a clean stop.

Needs locust's environment, which `compare_peers.py --setup` makes. Load is made on the same
processors; what locust takes of them is printed beside.
"""

import argparse
import http.client
import json
import signal
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.model_and_texts import passages, short_texts
from benchmarks.common.results_file import write_results
from benchmarks.serve.load import load
from benchmarks.serve.sides import SIDES, Server, body, serving
from edgeembed import Encoder
from edgeembed_runtime.engine.cpu import available_cpus

PORT = 8720
TURNS = 40
OVERLOAD = 4
DEADLINE_S = 10.0


class Bench:
    """The server, the encoder in this process, and what both are given."""

    def __init__(self, envs: Path, seconds: float, rounds: int) -> None:
        self.locust = envs / "locust" / "bin" / "python"
        self.envs, self.seconds, self.rounds = envs, seconds, rounds
        self.encoder = Encoder.load()
        self.texts = short_texts(512)
        self.short = [body([text]) for text in self.texts]
        self.passages = passages(128)
        self.long = [body([text]) for text in self.passages]

    def closed(self, server: Server, clients: int, bodies: Sequence[str]) -> dict[str, Any]:
        groups = {"all": {"bodies": bodies, "clients": clients}}
        met = load(self.locust, server, groups, seconds=self.seconds)
        return met.groups["all"].figures() | {"locust_cpu": round(met.cpu_s / met.stopped, 2)}

    def open(self, server: Server, rate: float, bodies: Sequence[str]) -> dict[str, Any]:
        groups = {"all": {"bodies": bodies, "rate": rate}}
        met = load(self.locust, server, groups, seconds=self.seconds, drain_s=5)
        return met.groups["all"].figures()


def overhead(bench: Bench, server: Server) -> dict[str, Any]:
    """One short text, by turns in this process and on one connection to the server."""
    texts = [text[:60] for text in bench.texts[:TURNS]]
    bodies = [body([text]).encode() for text in texts]
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]))
    times: dict[str, list[float]] = {"encode": [], "request": []}
    headers = {"Content-Type": "application/json"}

    def ask(data: bytes) -> None:
        connection.request("POST", server.path, data, headers)
        connection.getresponse().read()

    for _ in range(4 * bench.rounds):
        for name, call, given in (
            ("encode", bench.encoder.encode, texts),
            ("request", ask, bodies),
        ):
            times[name] += _timed(call, given)
    connection.close()
    shares = (10, 50)  # the former, because what else the machine does is in the latter
    ms = {
        f"{name}_p{share}_ms": round(float(np.percentile(each, share)), 3)
        for name, each in times.items()
        for share in shares
    }
    overheads = {
        f"overhead_p{share}_ms": round(ms[f"request_p{share}_ms"] - ms[f"encode_p{share}_ms"], 3)
        for share in shares
    }
    return ms | overheads


def _timed(call: Callable[[Any], object], given: Sequence[Any]) -> list[float]:
    found = []
    for each in given:
        began = time.perf_counter()
        call(each)
        found.append(1000 * (time.perf_counter() - began))
    return found


def throughput(bench: Bench, server: Server) -> dict[str, Any]:
    """64 clients with a short text each, by turns with the encoder in this process."""
    rounds = []
    for _ in range(bench.rounds):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < bench.seconds / 2:
            bench.encoder.encode(bench.texts)
            count += len(bench.texts)
        inside = count / (time.perf_counter() - began)
        met = bench.closed(server, 64, bench.short)
        rounds.append({"in_process_per_second": round(inside, 1), **met})
    shares = [each["per_second"] / each["in_process_per_second"] for each in rounds]
    cpus = available_cpus()
    free = [
        share / (1 - each["locust_cpu"] / cpus) for share, each in zip(shares, rounds, strict=True)
    ]
    return {
        "share": round(statistics.median(shares), 3),
        "share_of_what_locust_leaves": round(statistics.median(free), 3),
        "rounds": rounds,
    }


def half_load(bench: Bench, server: Server) -> dict[str, Any]:
    """Short texts at random times, at half of what 64 clients get."""
    rounds = []
    for _ in range(bench.rounds):
        most = bench.closed(server, 64, bench.short)["per_second"]
        met = bench.open(server, most / 2, bench.short)
        rounds.append(
            {"rate": round(most / 2, 1), "tail": round(met["p99_ms"] / met["p50_ms"], 2), **met}
        )
    return {"p99_by_p50": statistics.median(each["tail"] for each in rounds), "rounds": rounds}


def beside_bulk(bench: Bench, server: Server) -> dict[str, Any]:
    """One interactive client beside two that send 32 passages at once, without a pause."""
    pieces = [bench.passages[n : n + 32] for n in range(0, len(bench.passages), 32)]
    groups = {
        "interactive": {"bodies": bench.short, "clients": 1},
        "bulk": {"bodies": list(map(body, pieces)), "clients": 2},
    }
    rounds = []
    for _ in range(bench.rounds):
        met = load(bench.locust, server, groups, seconds=bench.seconds)
        rounds.append({name: each.figures() for name, each in met.groups.items()})
    tails = [each["interactive"]["p99_ms"] for each in rounds]
    return {"interactive_p99_ms": statistics.median(tails), "rounds": rounds}


def overload(bench: Bench, server: Server, seconds: float) -> dict[str, Any]:
    """Passages at random times, four times what the server can; then, how soon it is well."""
    most = bench.closed(server, 64, bench.long)["per_second"]
    groups = {"all": {"bodies": bench.long, "rate": OVERLOAD * most}}
    memory, ended = [], threading.Event()

    def watch() -> None:
        while not ended.wait(1.0):
            memory.append(round(server.resident_mb(), 1))

    watcher = threading.Thread(target=watch)
    watcher.start()
    met = load(
        bench.locust, server, groups, seconds=seconds, warm_up_s=0, drain_s=DEADLINE_S + 5
    ).groups["all"]
    ended.set()
    watcher.join()
    designed = np.isin(met.status, (200, 429, 503, 504))
    late = met.started + met.took
    after = late[late > seconds] - seconds
    third = max(1, len(memory) // 3)
    return {
        "capacity_per_second": most,
        "seconds": seconds,
        **met.figures(),
        "all_answers_are_designed": bool(designed.all()),
        "last_answer_after_s": round(float(after.max()), 2) if len(after) else 0.0,
        "recovered_after_s": _recovery(server),
        "memory_mb": {
            "first_third": statistics.median(memory[:third]),
            "last_third": statistics.median(memory[-third:]),
            "most": max(memory),
        },
    }


def _recovery(server: Server) -> float:
    """Seconds until ten short requests one after another are answered within 100 ms each."""
    began, well = time.perf_counter(), 0
    while well < 10:
        asked = time.perf_counter()
        server.ask(["well?"])
        well = well + 1 if time.perf_counter() - asked < 0.1 else 0
    return round(time.perf_counter() - began, 2)


def stop(bench: Bench) -> dict[str, Any]:
    """SIGTERM while 16 clients ask: whole answers, refusals and refused connections, and no cut."""
    met: list[str] = []
    with serving(SIDES["edgeembed"], bench.envs, PORT + 1) as server:
        port = int(server.url.rpartition(":")[2])
        clients = [
            threading.Thread(target=_ask_until_refused, args=(port, text, met))
            for text in bench.long[:16]
        ]
        for client in clients:
            client.start()
        time.sleep(2)
        began = time.perf_counter()
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(timeout=60)
        took = time.perf_counter() - began
        for client in clients:
            client.join()
    kinds = {kind: met.count(kind) for kind in sorted(set(met))}
    return {"seconds": round(took, 2), "exit_code": code, "met": kinds}


def _ask_until_refused(port: int, data: str, met: list[str]) -> None:
    """Requests on connections of their own; "cut" is an answer that was owed and is not whole."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.connect()
        except ConnectionError:
            met.append("refused")
            return
        try:
            connection.request("POST", "/v1/embeddings", data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            json.loads(answer.read())
            met.append(str(answer.status))
        except (OSError, http.client.HTTPException, ValueError):
            met.append("cut")
            return
        finally:
            connection.close()


MEASURES: Mapping[str, Callable[..., dict[str, Any]]] = {
    "overhead": overhead,
    "throughput": throughput,
    "half_load": half_load,
    "beside_bulk": beside_bulk,
    "overload": overload,
    "stop": stop,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envs", type=Path, required=True, help="folder of the environments")
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--overload-seconds", type=float, default=600)
    options = parser.parse_args()
    bench = Bench(options.envs.absolute(), options.seconds, options.rounds)
    found: dict[str, Any] = {}
    with serving(SIDES["edgeembed"], bench.envs, PORT) as server:
        for name in options.only:
            if name == "stop":
                found[name] = stop(bench)
            elif name == "overload":
                found[name] = overload(bench, server, options.overload_seconds)
            else:
                found[name] = MEASURES[name](bench, server)
            print(name, {k: v for k, v in found[name].items() if k != "rounds"}, flush=True)
    print("written:", write_results("serve-promises", found))


if __name__ == "__main__":
    main()
