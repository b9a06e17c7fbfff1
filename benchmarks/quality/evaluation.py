"""What MiniLM's variants are worth beside sentence-transformers; word vectors beside gensim.

`--tasks` are what `edgeembed eval --tasks` takes; a classification of the standard library's
documentation by module is added. `--words` (in the form of WordSim-353), `--analogies` (that of
questions-words.txt) and `--word-vectors` (that of GloVe) are evaluated by edgeembed and by gensim
(pip install gensim).
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.model_and_texts import bundle, model_directory
from benchmarks.common.results_file import write_results
from edgeembed.demo.stdlib_docs import stdlib_functions
from edgeembed.evaluate import evaluate, open_models, open_tasks, write_page
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.models.word_vectors import WordVectors
from edgeembed.evaluate.report.summary import as_tree
from edgeembed.evaluate.tasks.analogies import Analogies
from edgeembed.evaluate.tasks.similarity import Similarity


def documentation_by_module(path: Path, modules: int = 20, most: int = 60) -> Path:
    """A classification task from texts that every machine has."""
    docs = [(doc.module, " ".join(doc.text.split())) for doc in stdlib_functions()]
    largest = [module for module, _ in Counter(module for module, _ in docs).most_common(modules)]
    kept: Counter[str] = Counter()
    lines = ["text\tlabel"]
    for module, text in docs:
        if module in largest and kept[module] < most:
            kept[module] += 1
            lines.append(f"{text}\t{module}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def beside_gensim(model: Model, words: Path, analogies: Path) -> dict[str, dict[str, float]]:
    """The same two figures of the same vectors, by both."""
    tasks = open_tasks([str(words), f"analogies:{analogies}"], model)
    began = time.perf_counter()
    ours = evaluate([model], tasks, draws=1)
    seconds = time.perf_counter() - began
    pairs, questions = tasks
    assert isinstance(pairs, Similarity) and isinstance(questions, Analogies)
    known = model.vocabulary()
    peers = [
        keyed_vectors(model, known or texts)
        for texts in (
            [*pairs.pairs.left, *pairs.pairs.right],
            [word for question in questions.questions for word in question.words],
        )
    ]
    began = time.perf_counter()
    spearman = peers[0].evaluate_word_pairs(str(words))[1].statistic
    accuracy = peers[1].evaluate_word_analogies(str(analogies))[0]
    by_kind = {task.kind: task.measured[model.name].score for task in ours.tasks}
    return {
        "edgeembed": {**by_kind, "seconds": seconds},
        "gensim": {
            "similarity": 100 * float(spearman),
            "analogies": 100 * float(accuracy),
            "seconds": time.perf_counter() - began,
        },
    }


def keyed_vectors(model: Model, words: Sequence[str]) -> Any:
    """A model's vectors of words, in gensim's form."""
    from gensim.models import KeyedVectors

    distinct = list(dict.fromkeys(words))
    made = KeyedVectors(model.dim)
    made.add_vectors(distinct, model.encode(distinct, "plain"))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=[])
    parser.add_argument("--words", type=Path)
    parser.add_argument("--analogies", type=Path)
    parser.add_argument("--word-vectors", type=Path)
    parser.add_argument("--html", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = documentation_by_module(Path(folder) / "stdlib-modules.tsv")
        words = [str(options.words)] if options.words else []
        models = open_models([str(model_directory()), str(bundle())])
        tasks = open_tasks([*options.tasks, *words, str(made)], models[0])
        evaluation = evaluate(models, tasks, on_step=lambda step: print(step, flush=True))
    names = [model.name for model in models]
    for task in evaluation.tasks:
        figures = "  ".join(f"{name}: {task.measured[name].score:.2f}" for name in names)
        print(f"{task.name} ({task.metric})  {figures}")
    seconds = {
        name: sum(task.measured[name].seconds for task in evaluation.tasks) for name in names
    }
    print("seconds:", {name: round(value, 1) for name, value in seconds.items()})
    figures = {"evaluation": as_tree(evaluation), "seconds": seconds}
    if options.words and options.analogies:
        vectors = [WordVectors(options.word_vectors)] if options.word_vectors else []
        figures["words"] = {
            model.name: beside_gensim(model, options.words, options.analogies)
            for model in (*vectors, models[-1])
        }
        for name, values in figures["words"].items():
            print(name, values)
    if options.html:
        write_page(options.html, evaluation)
    print("written:", write_results("quality", figures).name)


if __name__ == "__main__":
    main()
