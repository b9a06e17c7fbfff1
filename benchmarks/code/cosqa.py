"""What people type into a search engine, and the Python function that answers it.

    python benchmarks/code/cosqa.py DATA [--model static] [--original 1000] [--work FOLDER]

DATA has CoSQA's functions.jsonl (id, code) and dev.jsonl (query, id). Each function is a file that
is indexed as `edgeembed index --code` does: MRR@10 by meaning, by words and by both. With
--original, vectors of whole functions by PyTorch are compared with those of the bundle, among the
right functions and so many others; with --tuned, another model directory is measured beside them.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.code.docstrings import MODES, filled, measured
from benchmarks.code.questions import Question
from benchmarks.common.minilm_weights import find_minilm
from benchmarks.common.results_file import write_results
from edgeembed import Encoder, Index
from edgeembed.search.encoders import bundle_info
from edgeembed.search.seen_vectors import seen_vectors

_DEPTH = 10


def written(data: Path, folder: Path) -> list[Question]:
    """Write each function to a file of its own; the queries and where their answers are."""
    for number, code in _functions(data).items():
        target = folder / str(number) / "code.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code, encoding="utf-8")
    return [
        Question(text=query, source=str(folder / str(number) / "code.py"), symbol=None)
        for query, number in _queries(data)
    ]


def _functions(data: Path) -> dict[int, str]:
    lines = (data / "functions.jsonl").read_text(encoding="utf-8").splitlines()
    return {each["id"]: each["code"] for each in map(json.loads, lines)}


def _queries(data: Path) -> list[tuple[str, int]]:
    lines = (data / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    return [(each["query"], each["id"]) for each in map(json.loads, lines)]


def by_hand(data: Path, others: int, models: dict[str, Path]) -> dict[str, float]:
    """MRR@10 of exact search with whole functions, by PyTorch and by bundles."""
    from sentence_transformers import SentenceTransformer

    functions, queries = _functions(data), _queries(data)
    right = {number for _, number in queries}
    chosen = sorted(right) + [number for number in functions if number not in right][:others]
    codes, asked = [functions[number] for number in chosen], [query for query, _ in queries]
    answers = np.array([chosen.index(number) for _, number in queries])
    found = {"functions": float(len(chosen))}
    for name, path in models.items():
        if (path / "modules.json").is_file():
            model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
            a, b = (
                model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
                for texts in (asked, codes)
            )
        else:
            with Encoder.load(None if path == Path() else path) as encoder:
                a, b = encoder.encode_query(asked), encoder.encode_document(codes)
        scores = a @ b.T
        own = scores[np.arange(len(asked)), answers][:, None]
        ranks = 1 + (scores > own).sum(axis=1)
        found[name] = round(float(np.where(ranks <= _DEPTH, 1 / ranks, 0).mean()), 4)
        print(name, found[name], flush=True)
    return found


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", help="a bundle; default: the one in the package")
    parser.add_argument("--work", type=Path, help="keeps the index, for another run")
    parser.add_argument("--original", type=int, metavar="OTHERS", help="compare with PyTorch")
    parser.add_argument("--tuned", type=Path, help="a model directory to measure beside it")
    options = parser.parse_args()
    if options.original is not None:
        models = {"PyTorch": find_minilm(), "int8 bundle": Path()}
        if options.tuned:
            models["tuned, PyTorch"] = options.tuned
        figures: dict[str, object] = dict(by_hand(options.data, options.original, models))
        print(write_results("code-cosqa-original", figures))
        return
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        questions = written(options.data, work / "functions")
        path = work / "code.index"
        if not path.exists():
            with Encoder.load(options.model) as encoder:
                Index.create(path, encoder=encoder, info=bundle_info(encoder)).close()
        with (
            Encoder.load(options.model, cache=seen_vectors(path)) as encoder,
            Index.open(path, encoder=encoder, mode="rw") as index,
        ):
            began = time.monotonic()
            passages = filled(index, encoder, work / "functions")
            figures = {
                "model": encoder.manifest.name,
                "functions": len(_functions(options.data)),
                "queries": len(questions),
                "passages": passages,
                "indexing_seconds": round(time.monotonic() - began, 1),
            }
            weight = encoder.search_profile.code_weight
            figures["weight"] = weight
            for mode in MODES:
                figures[mode] = measured(index, questions, mode, None, weight)
    for name, value in figures.items():
        print(f"{name:22} {value}")
    print(write_results(f"code-cosqa-{figures['model']}", figures))


if __name__ == "__main__":
    main()
