"""A student beside its teacher, fp32 and int8: similarity, retrieval, speed and size in one run.

`--student` is the bundle that `make_student.py` writes, `--sts` are files of scored pairs,
`--retrieval` folders in BEIR's form. What models gave is kept in `--cache`, so that a run that was
stopped goes on; speeds are measured anew, the sides taking turns.
"""

import argparse
import dataclasses
import statistics
import time
from pathlib import Path

from benchmarks.common.model_and_texts import bundle, passages, short_texts
from benchmarks.common.results_file import write_results
from edgeembed import Encoder
from edgeembed.evaluate import ObservationCache, evaluate, open_models, open_tasks
from edgeembed.evaluate.runner.evaluation import Evaluation
from edgeembed_runtime.bundle import Bundle


def speeds(bundles: dict[str, Path], rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Texts a second of every variant, and its ratio to the teacher's: medians, in turns."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for length, texts in (("short texts", short_texts(256)), ("passages", passages(48))):
        for variant in ("fp32", "int8"):
            encoders = {side: Encoder.load(path, variant=variant) for side, path in bundles.items()}
            for encoder in encoders.values():
                encoder.encode(texts)
            times = [
                {side: seconds(encoder, texts) for side, encoder in encoders.items()}
                for _ in range(rounds)
            ]
            for encoder in encoders.values():
                encoder.close()
            found.setdefault(length, {})[variant] = {
                **{
                    f"{side}, texts/s": len(texts) / statistics.median(t[side] for t in times)
                    for side in bundles
                },
                "student / teacher": statistics.median(t["teacher"] / t["student"] for t in times),
            }
    return found


def seconds(encoder: Encoder, texts: list[str]) -> float:
    began = time.perf_counter()
    encoder.encode(texts)
    return time.perf_counter() - began


def sizes(bundles: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Megabytes of every variant, and of all else that an int8 bundle has to carry."""
    found = {}
    for side, path in bundles.items():
        manifest = Bundle.open(path).manifest
        files = {v.name: manifest.files[v.file].bytes / 1e6 for v in manifest.text_tower().variants}
        tokenizer = manifest.files[manifest.text_tower().tokenizer].bytes / 1e6
        found[side] = {**files, "tokenizer": tokenizer}
    return found


def kept(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Each model's mean Spearman and its retrieval, in points and in percent of the first's."""
    groups = {"STS": "similarity", "retrieval": "retrieval"}
    first = evaluation.models[0].name
    found: dict[str, dict[str, float]] = {}
    for title, kind in groups.items():
        tasks = [task for task in evaluation.tasks if task.kind == kind]
        if not tasks:
            continue
        for model in evaluation.models:
            scores = [task.measured[model.name].score for task in tasks]
            base = statistics.mean(task.measured[first].score for task in tasks)
            mean = statistics.mean(scores)
            found.setdefault(model.name, {})[title] = round(mean, 2)
            found[model.name][f"{title}, % of {first}"] = round(100 * mean / base, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--student", type=Path, required=True)
    parser.add_argument("--sts", nargs="+", type=Path, default=[])
    parser.add_argument("--retrieval", nargs="+", type=Path, default=[])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--skip-speed", action="store_true")
    options = parser.parse_args()
    bundles = {"teacher": bundle(), "student": options.student}
    names = [f"{path}@{variant}" for path in bundles.values() for variant in ("fp32", "int8")]
    models = open_models(names)
    tasks = open_tasks([str(path) for path in (*options.sts, *options.retrieval)], models[0])
    cache = ObservationCache(folder=options.cache) if options.cache else None
    evaluation = evaluate(models, tasks, cache=cache, on_step=lambda step: print(step, flush=True))
    figures = {
        "kept": kept(evaluation),
        "tasks": [dataclasses.asdict(task) for task in evaluation.tasks],
        "megabytes": sizes(bundles),
    }
    if not options.skip_speed:
        figures["speed"] = speeds(bundles, options.rounds)
    for task in evaluation.tasks:
        scores = "  ".join(f"{m.name}: {task.measured[m.name].score:.2f}" for m in models)
        print(f"{task.name} ({task.metric})  {scores}")
    for title in ("kept", "megabytes", "speed"):
        print(title, figures.get(title))
    print("written:", write_results("distillation_student", figures).name)


if __name__ == "__main__":
    main()
