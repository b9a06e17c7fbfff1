"""edgeembed beside its peers, each in an environment of its own: speed, memory, faithfulness.

`--setup` makes the environments (pip, about 6 GB) and exports the models; the benchmark itself then
needs no network. All sides take turns, round by round, in processes of their own.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.common.model_and_texts import bundle, model_directory, passages, short_texts
from benchmarks.common.results_file import write_results
from benchmarks.encoding.peers.environments import setup, why_missing
from benchmarks.encoding.peers.side_process import Places, SideError, SideProcess
from benchmarks.encoding.peers.sides import BASE, SIDES
from benchmarks.encoding.peers.summary import cosine, figures_of, show

TASKS = ("short", "passages", "single")
PAUSE_S = 0.5


def write_texts(path: Path, quick: bool) -> None:
    """The texts as JSON: only this environment has them. Calibration has none of the measured."""
    scale = 16 if quick else 1
    texts = {
        "short": short_texts(512 // scale),
        "passages": passages(96 // scale),
        "single": [text[:60] for text in short_texts(100 // scale)],
        "calibration": short_texts(1500)[1000:1200] + passages(400)[300:],
    }
    path.write_text(json.dumps(texts))


def cold_start(name: str, places: Places) -> float:
    """Seconds from the start of a process to its first vector."""
    began = time.perf_counter()
    with SideProcess(name, places) as process:
        process.ask("load")
        return time.perf_counter() - began


@dataclass
class Run:
    """One run over all sides; a side that fails is left out of what follows, with the reason."""

    places: Places
    names: list[str]
    missing: dict[str, str] = field(default_factory=dict)

    def turn(self, task: Callable[[str], Any]) -> dict[str, Any]:
        """One task by every side that is left, after a pause.

        The threads of some libraries spin for 0.2 seconds after their work, and would take that
        time from the side whose turn is next.
        """
        answers = {}
        for name in list(self.names):
            time.sleep(PAUSE_S)
            try:
                answers[name] = task(name)
            except SideError as error:
                self.names.remove(name)
                self.missing[name] = str(error)
        return answers

    def measure(self, rounds: int, cold_rounds: int) -> dict[str, dict]:
        """All figures: lists over the rounds, in the same order for every side."""
        turns: dict[str, list[dict[str, Any]]] = {"cold": [], **{task: [] for task in TASKS}}
        for _ in range(cold_rounds + 1):  # the first warms the disk cache
            turns["cold"].append(self.turn(lambda name: cold_start(name, self.places)))
        del turns["cold"][0]
        workers = {name: SideProcess(name, self.places) for name in self.names}
        try:
            for task in ("load", *TASKS):
                self.turn(lambda name, task=task: workers[name].ask(task))
            for number in range(rounds):
                for task in TASKS:
                    turns[task].append(self.turn(lambda name, task=task: workers[name].ask(task)))
                print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            last = {
                "resident_mb": self.turn(lambda name: workers[name].ask("memory")),
                "versions": self.turn(lambda name: workers[name].ask("versions")),
                "cosine": self.faithfulness(workers),
            }
        finally:
            for worker in workers.values():
                worker.close()
        return {
            name: {task: [turn[name] for turn in done] for task, done in turns.items()}
            | {key: values.get(name) for key, values in last.items()}
            | {"same_model": SIDES[name].same_model, "batch_size": SIDES[name].batch_size}
            for name in self.names
        }

    def faithfulness(self, workers: dict[str, SideProcess]) -> dict[str, dict]:
        """Cosine of every text's vector to that of sentence-transformers, of the same model."""
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder) / f"{name}.npy" for name in workers}
            self.turn(lambda name: workers[name].ask(f"save {files[name]}"))
            return {
                name: cosine(files[BASE], files[name])
                for name in self.names
                if SIDES[name].same_model and BASE in self.names
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envs", type=Path, required=True, help="folder of the environments")
    parser.add_argument("--setup", action="store_true", help="make environments and models")
    parser.add_argument("--only", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cold-rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few texts and rounds, to try it")
    options = parser.parse_args()
    rounds, cold_rounds = (2, 1) if options.quick else (options.rounds, options.cold_rounds)
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.json"
        write_texts(texts, options.quick)
        places = Places(options.envs.absolute(), model_directory(), bundle(), texts)
        if options.setup:
            places.envs.mkdir(parents=True, exist_ok=True)
            setup(places, [name for name in SIDES if name in options.only])
            return
        wanted = [name for name in SIDES if name in (BASE, *options.only)]
        reasons = {name: why_missing(places, name) for name in wanted}
        run = Run(
            places,
            names=[name for name in wanted if not reasons[name]],
            missing={name: reason for name, reason in reasons.items() if reason},
        )
        measured = run.measure(rounds, cold_rounds)
    figures = figures_of(measured)
    show(figures, run.missing)
    written = write_results(
        "peers-quick" if options.quick else "peers",
        {"rounds": rounds, "cold_rounds": cold_rounds, "sides": figures, "missing": run.missing},
        peers={name: side["versions"] for name, side in measured.items()},
    )
    print("written:", written.name)


if __name__ == "__main__":
    main()
