"""Throughput, latency and closeness of fp32 and int8 against sentence-transformers (PyTorch).

Each side is a process of its own, so that neither's threads disturb the other; they take turns.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from model_and_texts import bundle, model_directory, passages, short_texts
from results_file import write_results

SIDES = ("sentence-transformers", "fp32", "int8")
TASKS = ("short", "passages", "single")


def worker(side: str) -> None:
    """Serve tasks named on stdin: the seconds they took on stdout, one line each."""
    if side == "sentence-transformers":
        from sentence_transformers import SentenceTransformer

        encode = SentenceTransformer(str(model_directory())).encode
    else:
        from edgeembed import Encoder

        encode = Encoder.load(bundle(), variant=side).encode
    texts = {"short": short_texts(384), "passages": passages(64), "single": short_texts(60)}
    for line in sys.stdin:
        task = line.strip()
        if task.startswith("save "):
            np.save(task.removeprefix("save "), encode(texts["short"] + texts["passages"]))
            print("saved", flush=True)
        elif task == "single":
            print(statistics.median(timed(encode, text) for text in texts[task]), flush=True)
        else:
            print(timed(encode, texts[task]) / len(texts[task]), flush=True)


def timed(encode, inputs) -> float:
    began = time.perf_counter()
    encode(inputs)
    return time.perf_counter() - began


class Side:
    """A worker process, to which tasks are given by name."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "--worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, task: str) -> str:
        """Give a task and wait for the answer."""
        print(task, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"the worker died at {task!r}")
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", choices=SIDES)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    bundle()
    sides = {name: Side(name) for name in SIDES}
    for side in sides.values():  # warm up
        for task in TASKS:
            side.ask(task)
    seconds = {name: {task: [] for task in TASKS} for name in SIDES}
    for _ in range(options.rounds):
        for task in TASKS:
            for name, side in sides.items():
                seconds[name][task].append(float(side.ask(task)))
    figures = {"rounds": options.rounds, "tasks": {}, "cosine": cosines(sides)}
    print(f"{'':10} {'sentence-tr.':>14} {'fp32':>12} {'int8':>12} {'fp32 ratio':>11}  int8 ratio")
    for task in TASKS:
        median = {name: statistics.median(seconds[name][task]) for name in SIDES}
        ratio = {
            name: statistics.median(
                base / own
                for base, own in zip(seconds[SIDES[0]][task], seconds[name][task], strict=True)
            )
            for name in SIDES[1:]
        }
        unit = "ms" if task == "single" else "texts/s"
        shown = [m * 1e3 if task == "single" else 1 / m for m in median.values()]
        print(
            f"{task:10} "
            + " ".join(f"{value:>12.1f}" + ("" if i else "  ") for i, value in enumerate(shown))
            + f" {ratio['fp32']:>10.2f}x {ratio['int8']:>10.2f}x   ({unit}; ratio of speeds)"
        )
        figures["tasks"][task] = {"median_seconds_per_text": median, "speed_ratio": ratio}
    for name, values in figures["cosine"].items():
        print(f"{name}: cosine to the peer: mean {values['mean']:.6f}, min {values['min']:.6f}")
    print("written:", write_results("encode", figures).name)


def cosines(sides: dict[str, Side]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, side in sides.items():
            path = Path(folder) / f"{name}.npy"
            side.ask(f"save {path}")
            found[name] = np.load(path).astype(np.float64)
    reference = found[SIDES[0]]
    result = {}
    for name in SIDES[1:]:
        values = (reference * found[name]).sum(1) / (
            np.linalg.norm(reference, axis=1) * np.linalg.norm(found[name], axis=1)
        )
        result[name] = {"texts": len(values), "mean": values.mean(), "min": values.min()}
    return result


if __name__ == "__main__":
    main()
