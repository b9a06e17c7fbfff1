"""What vectors cut to fewer components lose: as they are, and after `convert(rotate=...)`.

`--tasks` are what `edgeembed eval --tasks` takes; none of their texts may be in `--texts`, one text
a line, on which rotations are fitted beside those on the built-in texts. Rotations are applied here
as they are in the graph: to the model's own vectors.
"""

import argparse
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.common.model_and_texts import bundle
from benchmarks.common.results_file import write_results
from edgeembed import EmbeddingCache, Encoder
from edgeembed.evaluate import evaluate, open_tasks
from edgeembed.evaluate.models.bundle import BundleModel
from edgeembed.evaluate.models.function import FunctionModel
from edgeembed.ingest.texts import read_texts
from edgeembed_converters.matryoshka.rotation import fit_texts
from edgeembed_converters.matryoshka.rotation_fit import learned_rotation, pca_rotation
from edgeembed_converters.matryoshka.truncated_dims import matryoshka_dims, measured_truncations
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.inputs.text.word_tokenizer import load_tokenizer
from edgeembed_runtime.vectors import truncate

DIMS = (256, 192, 128, 64)


class Memory:
    """An encoder that computes the vector of a text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        for text, vector in zip(new, self._encoder.encode(new), strict=True):
            self._vectors[text] = vector
        return np.stack([self._vectors[text] for text in texts])


def rotations(encoder: Encoder, memory: Memory, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Every rotation that is compared, by name."""
    tower = encoder.manifest.text_tower()
    data = (encoder.path / tower.tokenizer).read_bytes()
    fitted_on = {"built-in texts": fit_texts(load_tokenizer(data, tower, tower.tokenizer))}
    if texts:
        fitted_on[f"{len(texts)} texts"] = list(texts)
    found = {"as it is": np.eye(encoder.dim, dtype=np.float32)}
    for name, chosen in fitted_on.items():
        vectors = memory.encode(chosen)
        print(f"fitting on {name} ({len(chosen)})", flush=True)
        found[f"pca, {name}"] = pca_rotation(vectors)
        found[f"learned, {name}"] = learned_rotation(vectors)
    return found


def models_of(
    memory: Memory, turned: Mapping[str, np.ndarray], dim: int
) -> dict[tuple[str, int], FunctionModel]:
    """The model with whole vectors, and every rotation cut to every length."""

    def cut(matrix: np.ndarray, length: int) -> FunctionModel:
        return FunctionModel(
            f"{length} {id(matrix)}",
            lambda texts: truncate(memory.encode(texts) @ matrix, length, unit=True),
        )

    whole = {("whole", dim): cut(turned["as it is"], dim)}
    return whole | {(name, n): cut(m, n) for name, m in turned.items() for n in DIMS if n < dim}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", required=True)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--most-texts", type=int, default=5000)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--cache", type=Path, help="a file that keeps the vectors for the next run")
    options = parser.parse_args()
    path = options.bundle or bundle()
    cache = EmbeddingCache(options.cache) if options.cache else None
    encoder = Encoder.load(path, cache=cache)
    memory = Memory(encoder)
    texts: list[str] = []
    if options.texts:
        lines = read_texts(options.texts)
        texts = sorted({line for line in lines if line.strip()})
        texts = random.Random(0).sample(texts, min(options.most_texts, len(texts)))
    turned = rotations(encoder, memory, texts)
    models = models_of(memory, turned, encoder.dim)
    tasks = open_tasks(options.tasks, BundleModel(path, encoder.variant))
    evaluation = evaluate(
        list(models.values()), tasks, draws=1, on_step=lambda step: print(step, flush=True)
    )
    scores = {
        task.name: {key: task.measured[model.name].score for key, model in models.items()}
        for task in evaluation.tasks
    }
    whole = {name: found["whole", encoder.dim] for name, found in scores.items()}
    lost = [
        {
            "rotation": name,
            "dim": dim,
            "lost": {task: whole[task] - found[name, dim] for task, found in scores.items()},
        }
        for name, dim in models
        if name != "whole"
    ]
    for row in lost:
        shown = "  ".join(f"{task} {value:+.2f}" for task, value in row["lost"].items())
        print(f"{row['rotation']:28} {row['dim']:4}  {shown}")
    golden = Golden.from_json((encoder.path / encoder.manifest.golden).read_bytes())
    kept = {name: measured_truncations(golden.vectors @ matrix) for name, matrix in turned.items()}
    figures = {
        "model": encoder.manifest.name,
        "variant": encoder.variant,
        "whole": whole,
        "lost": lost,
        "measured_at_conversion": {name: [vars(t) for t in found] for name, found in kept.items()},
        "matryoshka_dims": {name: matryoshka_dims(found) for name, found in kept.items()},
    }
    print("written:", write_results("truncation", figures).name)


if __name__ == "__main__":
    main()
