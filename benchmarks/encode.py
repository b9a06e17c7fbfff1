"""edgeembed beside its peers, each in an environment of its own: speed, memory, faithfulness.

`--setup` makes the environments (pip, about 6 GB) and exports the models; the benchmark itself then
needs no network. All sides take turns, round by round, in processes of their own.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from model_and_texts import bundle, model_directory, passages, short_texts
from peers.sides import SIDES
from results_file import write_results

from edgeembed.cli.output import print_table

HERE = Path(__file__).parent / "peers"
BASE = "sentence-transformers"
TASKS = ("short", "passages", "single")


class Worker:
    """A process of one side, to which tasks are given by name; see peers/worker.py."""

    def __init__(self, name: str, envs: Path) -> None:
        env = SIDES[name].env
        python = sys.executable if env == "current" else str(envs / env / "bin" / "python")
        folder = envs / "models" / name
        arguments = [str(model_directory()), str(folder), str(envs / "texts.json")]
        self.log = (envs / f"{name}.log").open("w")
        self.process = subprocess.Popen(
            [python, "-W", "ignore", str(HERE / "worker.py"), name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def ask(self, task: str):
        """Give a task and wait for the answer."""
        print(task, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"died at {task!r}; see {self.log.name}")
        return json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def setup(envs: Path, names: list[str]) -> None:
    """Make the environments that are missing, and what each side needs of the model."""
    for env in {SIDES[name].env for name in names} - {"current"}:
        if not (envs / env).exists():
            print("environment:", env, flush=True)
            subprocess.run([sys.executable, "-m", "venv", envs / env], check=True)
            pip = [envs / env / "bin" / "pip", "install", "-q", "-r"]
            subprocess.run([*pip, HERE / f"requirements-{env}.txt"], check=True)
            # optimum-intel brings it, and it cannot be loaded beside a torch built for the CPU.
            subprocess.run([*pip[:1], "uninstall", "-q", "-y", "torchvision"], check=True)
    target = envs / "models" / "all-MiniLM-L6-v2.bundle"
    if not target.exists():
        shutil.copytree(bundle(), target)
    for name in names:
        if not (envs / "models" / name).exists():
            print("model:", name, flush=True)
            worker = Worker(name, envs)
            try:
                worker.ask("prepare")
            except RuntimeError as error:
                shutil.rmtree(envs / "models" / name, ignore_errors=True)
                print(f"  left out: {error}", flush=True)
            worker.close()


def write_texts(envs: Path, scale: float) -> None:
    envs.mkdir(parents=True, exist_ok=True)
    count = lambda n: max(8, int(n * scale))  # noqa: E731
    texts = {
        "short": short_texts(count(512)),
        "passages": passages(count(96)),
        "single": [text[:60] for text in short_texts(count(100))],
        "calibration": short_texts(1500)[1000:1200] + passages(400)[300:],
    }
    (envs / "texts.json").write_text(json.dumps(texts))


def cold_start(name: str, envs: Path) -> float:
    """Seconds from the start of a process to its first vector."""
    began = time.perf_counter()
    worker = Worker(name, envs)
    worker.ask("load")
    taken = time.perf_counter() - began
    worker.close()
    return taken


def measure(names: list[str], envs: Path, rounds: int, cold_rounds: int) -> dict:
    """All figures of all sides: lists over the rounds, in the same order for every side."""
    cold = {name: [] for name in names}
    for _ in range(cold_rounds + 1):
        for name in names:
            cold[name].append(cold_start(name, envs))
    workers = {name: Worker(name, envs) for name in names}
    found = {
        name: {"cold": cold[name][1:], "versions": w.ask("versions")} for name, w in workers.items()
    }
    for name, worker in workers.items():
        worker.ask("load")
        for task in TASKS:
            worker.ask(task)
            found[name][task] = []
    for number in range(rounds):
        for task in TASKS:
            for name, worker in workers.items():
                found[name][task].append(worker.ask(task))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    vectors = {}
    for name, worker in workers.items():
        found[name]["resident_mb"] = worker.ask("memory")
        path = envs / f"{name}.npy"
        worker.ask(f"save {path}")
        vectors[name] = np.load(path).astype(np.float64)
        path.unlink()
        worker.close()
    for name in names:
        found[name]["cosine"] = cosine(vectors[BASE], vectors[name])
    return found


def cosine(base: np.ndarray, other: np.ndarray) -> dict | None:
    if base.shape != other.shape:
        return None  # another model
    lengths = np.linalg.norm(base, axis=1) * np.linalg.norm(other, axis=1)
    values = (base * other).sum(1) / lengths
    return {"mean": float(values.mean()), "min": float(values.min())}


def summary(found: dict) -> dict:
    """Medians, and the median over the rounds of the ratio to sentence-transformers."""
    figures = {}
    for name, side in found.items():
        p50 = [times[len(times) // 2] for times in side["single"]]
        p95 = [times[int(len(times) * 0.95)] for times in side["single"]]
        base_p50 = [times[len(times) // 2] for times in found[BASE]["single"]]
        figures[name] = {
            "short_texts_per_s": 1 / statistics.median(side["short"]),
            "passages_per_s": 1 / statistics.median(side["passages"]),
            "single_p50_ms": statistics.median(p50) * 1e3,
            "single_p95_ms": statistics.median(p95) * 1e3,
            "cold_start_ms": statistics.median(side["cold"]) * 1e3,
            "resident_mb": side["resident_mb"],
            "cosine": side["cosine"],
            "speed_ratio": {
                "short": ratio(found[BASE]["short"], side["short"]),
                "passages": ratio(found[BASE]["passages"], side["passages"]),
                "single": ratio(base_p50, p50),
                "cold": ratio(found[BASE]["cold"], side["cold"]),
            },
            "versions": side["versions"],
        }
    return figures


def ratio(base: list[float], own: list[float]) -> float:
    return statistics.median(b / o for b, o in zip(base, own, strict=True))


def show(figures: dict) -> None:
    columns = ["", "#short/s", "#x", "#passages/s", "#x", "#p50 ms", "#x", "#cold ms", "#x", "#MB"]
    rows = []
    for name, side in figures.items():
        times, close = side["speed_ratio"], side["cosine"]
        rows.append(
            (
                name,
                f"{side['short_texts_per_s']:.0f}",
                f"{times['short']:.2f}",
                f"{side['passages_per_s']:.1f}",
                f"{times['passages']:.2f}",
                f"{side['single_p50_ms']:.2f}",
                f"{times['single']:.2f}",
                f"{side['cold_start_ms']:.0f}",
                f"{times['cold']:.2f}",
                f"{side['resident_mb']:.0f}",
                f"{close['mean']:.5f}" if close else "other model",
                f"{close['min']:.5f}" if close else "",
            )
        )
    print_table([*columns, "#mean cosine", "#min"], rows, title="x: times as fast as the first")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envs", type=Path, required=True, help="folder of the environments")
    parser.add_argument("--setup", action="store_true", help="make environments and models")
    parser.add_argument("--only", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cold-rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the texts, to try it")
    options = parser.parse_args()
    options.envs = options.envs.absolute()
    write_texts(options.envs, options.scale)
    names = [name for name in SIDES if name in (BASE, *options.only)]
    if options.setup:
        setup(options.envs, names)
        return
    made = [name for name in names if (options.envs / "models" / name).exists()]
    if not made:
        parser.error("no models there yet; run with --setup first")
    for name in sorted(set(names) - set(made)):
        print("missing:", name)
    figures = summary(measure(made, options.envs, options.rounds, options.cold_rounds))
    show(figures)
    print("written:", write_results("encode", {"rounds": options.rounds, "sides": figures}).name)


if __name__ == "__main__":
    main()
