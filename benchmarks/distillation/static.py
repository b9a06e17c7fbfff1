"""Static tables beside their teacher: similarity, retrieval, speed and size in one run.

`--sts` are files of scored pairs, `--retrieval` folders in BEIR's form. The sides are the teacher
(int8), the default bundle, model2vec's own distillation of the same teacher, and WordLlama, where
they are installed (pip install "model2vec[distill]" wordllama). Speeds are measured in turns.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.common.model_and_texts import bundle, model_directory, short_texts
from benchmarks.common.results_file import write_results
from edgeembed import Encoder
from edgeembed.evaluate import evaluate, open_tasks
from edgeembed.evaluate.models.function import FunctionModel
from edgeembed_runtime.bundle.packaged import PACKAGED

MODEL2VEC_DIM = WORDLLAMA_DIM = 256


@dataclass(frozen=True, kw_only=True)
class Side:
    """A model: its name, what it is, its bytes on disk, and how it encodes."""

    name: str
    what: str
    size: int
    encode: Callable[[list[str]], np.ndarray]


def of_bundle(name: str, path: Path, variant: str, what: str) -> Side:
    encoder = Encoder.load(path, variant=variant)
    kept = [path / f"{variant}.onnx", path / "tokenizer.json", path / "edgeembed.json"]
    size = sum(file.stat().st_size for file in kept)
    return Side(name=name, what=what, size=size, encode=encoder.encode)


def model2vec(folder: Path) -> Side:
    """Distilled by its own function, with its defaults but for the dimensions."""
    from model2vec import StaticModel
    from model2vec.distill import distill

    if not folder.exists():
        distill(str(model_directory()), pca_dims=MODEL2VEC_DIM).save_pretrained(folder)
    made = StaticModel.from_pretrained(folder)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return Side(
        name="model2vec", what="its own distillation of the teacher", size=size, encode=made.encode
    )


def wordllama() -> Side:
    """Its default table and tokenizer, both of which its package carries.

    WordLlama.load() looks for them in the working directory first, and then on a model hub.
    """
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference

    spec = find_spec("wordllama")
    assert spec is not None and spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    (weights,) = Path(folder).rglob(f"*_{WORDLLAMA_DIM}.safetensors")
    (tokenizer,) = Path(folder).rglob("*_tokenizer_config.json")
    (table,) = load_file(weights).values()
    made = WordLlamaInference(table, Tokenizer.from_file(str(tokenizer)))
    size = weights.stat().st_size + tokenizer.stat().st_size
    return Side(name="WordLlama", what="its own table", size=size, encode=made.embed)


def speeds(sides: list[Side], rounds: int, count: int) -> dict[str, float]:
    """Texts a second: medians over rounds in which each side takes its turn."""
    texts = short_texts(count)
    times: dict[str, list[float]] = {side.name: [] for side in sides}
    # The teacher would take minutes: a share of the texts is enough for it.
    shares = {
        side.name: texts[: count // 40] if side.name == "teacher" else texts for side in sides
    }
    for side in sides:
        side.encode(shares[side.name])
    for _ in range(rounds):
        for side in sides:
            began = time.perf_counter()
            side.encode(shares[side.name])
            times[side.name].append((time.perf_counter() - began) / len(shares[side.name]))
    return {name: 1 / statistics.median(each) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sts", nargs="+", default=[])
    parser.add_argument("--retrieval", nargs="*", default=[])
    parser.add_argument("--teacher", type=Path, help="a bundle; by default made anew")
    parser.add_argument("--model2vec", type=Path, help="where to keep its distillation")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--texts", type=int, default=8000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sides = [
            of_bundle("teacher", options.teacher or bundle(), "int8", "all-MiniLM-L6-v2, int8"),
            of_bundle("static", PACKAGED["static"].path, "int8", "the static bundle"),
        ]
        if find_spec("model2vec") is not None:
            sides.append(model2vec(options.model2vec or Path(folder) / "model2vec"))
        if find_spec("wordllama") is not None:
            sides.append(wordllama())
        models = [FunctionModel(side.name, side.encode) for side in sides]
        tasks = open_tasks([*options.sts, *options.retrieval], models[0])
        evaluation = evaluate(models, tasks, draws=200, on_step=lambda s: print(s, flush=True))
        rates = speeds(sides, options.rounds, options.texts)
    similarity = len(options.sts)
    figures = {}
    for side in sides:
        scores = {task.name: task.measured[side.name].score for task in evaluation.tasks}
        means = list(scores.values())[:similarity]
        figures[side.name] = {
            "what": side.what,
            "megabytes": side.size / 1e6,
            "texts per second": rates[side.name],
            "scores": scores,
            "mean of sts": statistics.mean(means) if means else None,
        }
    teacher = figures["teacher"]["mean of sts"]
    for name, each in figures.items():
        share = f" ({each['mean of sts'] / teacher:.1%} of the teacher)" if teacher else ""
        print(
            f"{name:10} {each['megabytes']:6.1f} MB {each['texts per second']:9.0f} texts/s", end=""
        )
        print(f"  mean {each['mean of sts'] or 0:.2f}{share}  {each['scores']}")
    print("written:", write_results("distillation", {"sides": figures}).name)


if __name__ == "__main__":
    main()
