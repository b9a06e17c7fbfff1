"""What each setting of onnxruntime costs or gains: one changed at a time, in turns."""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.common.model_and_texts import bundle, passages, short_texts
from benchmarks.common.results_file import write_results
from edgeembed import Encoder
from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.engine.cpu import available_cpus

Setting = Callable[[ort.SessionOptions], None]
FUSION = "optimization.disable_specified_optimizers"
SPIN_STOP = "session.force_spinning_stop"


def arena_off(options: ort.SessionOptions) -> None:
    options.enable_cpu_mem_arena = False


def memory_pattern(options: ort.SessionOptions) -> None:
    options.enable_mem_pattern = True


def no_prepacking(options: ort.SessionOptions) -> None:
    options.add_session_config_entry("session.disable_prepacking", "1")


def fused_skip_norm(options: ort.SessionOptions) -> None:
    options.add_session_config_entry(FUSION, "")


def spinning(options: ort.SessionOptions) -> None:
    options.add_session_config_entry(SPIN_STOP, "0")


def no_spinning(options: ort.SessionOptions) -> None:
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")


BULK: dict[str, Setting | None] = {
    "as it is": None,
    "arena off": arena_off,
    "memory pattern on": memory_pattern,
    "prepacking off": no_prepacking,
    "SkipLayerNormalization fused": fused_skip_norm,
}
SINGLE: dict[str, Setting | None] = {
    "as it is": None,
    "threads stay awake between runs": spinning,
    "threads never spin": no_spinning,
}


def session(path: Path, threads: int, change: Setting | None) -> ort.InferenceSession:
    """A session with the runtime's settings, and one of them changed."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_mem_pattern = False
    if change:
        change(options)
    for key, value in ((SPIN_STOP, "1"), (FUSION, "SkipLayerNormFusion")):
        try:
            options.get_session_config_entry(key)
        except RuntimeError:  # not set by the change
            options.add_session_config_entry(key, value)
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(made: ort.InferenceSession, ids: np.ndarray) -> None:
    made.run(["embedding"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})


def bulk_seconds(made: ort.InferenceSession, inputs: list[np.ndarray], threads: int) -> float:
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(lambda ids: run(made, ids), inputs))
        return time.perf_counter() - began


def single_seconds(made: ort.InferenceSession, inputs: list[np.ndarray]) -> float:
    times = []
    for ids in inputs:
        time.sleep(0.002)  # a user between two queries
        began = time.perf_counter()
        run(made, ids)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def compare(measures: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Median over the rounds of each one's time relative to the first one's."""
    for measure in measures.values():
        measure()
    first, order = next(iter(measures)), list(measures)
    rng, times = random.Random(0), []
    for _ in range(rounds):
        rng.shuffle(order)
        times.append({name: measures[name]() for name in order})
    return {
        name: statistics.median(turn[first] / turn[name] for turn in times) for name in measures
    }


def load_ratio(path: Path, rounds: int) -> dict[str, float]:
    """The gain of loading a graph that was optimized and saved before."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "optimized.onnx"

        def save(options: ort.SessionOptions) -> None:
            options.optimized_model_filepath = str(saved)

        def as_saved(options: ort.SessionOptions) -> None:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL

        session(path, 1, save)
        seconds = {"as it is": [], "optimized graph from disk": []}
        for _ in range(rounds):
            for name, file, change in (
                ("as it is", path, None),
                ("optimized graph from disk", saved, as_saved),
            ):
                began = time.perf_counter()
                session(file, 1, change)
                seconds[name].append(time.perf_counter() - began)
    return {f"{name}, ms": statistics.median(values) * 1e3 for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--variant", default="int8")
    options = parser.parse_args()
    path = bundle() / f"{options.variant}.onnx"
    threads = available_cpus()
    with Encoder.load(bundle()) as encoder:
        tokenizer = encoder._text_encoder().engine.tokenizer
        short, long = (
            [tokenizer.encode(text).ids[None, :] for text in texts]
            for texts in (short_texts(192), passages(32))
        )
    figures: dict[str, dict[str, float]] = {}
    for title, inputs in (("short texts", short), ("passages", long)):
        made = {name: session(path, 1, change) for name, change in BULK.items()}
        measures = {
            name: partial(bulk_seconds, each, inputs, threads) for name, each in made.items()
        }
        shared = session(path, threads, None)
        measures["all threads share each run"] = partial(bulk_seconds, shared, inputs, 1)
        figures[f"speed, {title}"] = compare(measures, options.rounds)
    alone = {name: session(path, threads, change) for name, change in SINGLE.items()}
    figures["speed, one short text"] = compare(
        {name: partial(single_seconds, each, short[:40]) for name, each in alone.items()},
        options.rounds,
    )
    figures["loading"] = load_ratio(path, options.rounds)
    for title, values in figures.items():
        print(title)
        for name, value in values.items():
            print(f"  {name:34}{value:>8.2f}")
    print("written:", write_results("settings", figures).name)


if __name__ == "__main__":
    main()
