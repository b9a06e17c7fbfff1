"""Docstring to function: does a repository's search find what a function's author says of it?

    python benchmarks/code/docstrings.py [--package FOLDER] [--questions 1000]

What authors say of their functions is taken out of the code of a package, Python's standard
library by default: docstrings, and in other languages the comments above. What is left is indexed
as `edgeembed index --code` does. The first sentence is the question, its function the one right
answer: recall@10 and MRR@10, by meaning, by words and by both, among functions and among all
passages, which are heads of classes and modules, too.
"""

import argparse
import random
import sysconfig
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.code.questions import Question, copied
from benchmarks.common.results_file import write_results
from edgeembed import Encoder, Hit, Index
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.files import scan
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.text_indexer import PassageIndexer
from edgeembed_runtime.index.search.query import SearchMode

_DEPTH = 10
_FUNCTIONS: dict[str, object] = {"kind": {"$in": ["function", "method"]}}
MODES: tuple[SearchMode, ...] = ("dense", "keyword", "hybrid")


def filled(index: Index, encoder: Encoder, folder: Path) -> int:
    """Index a folder of code as `edgeembed index --code` does: the number of passages."""
    reader = PassageReader(encoder=encoder, chunks=ChunkSettings())
    PassageIndexer(index, reader).run(scan([folder], WalkSettings(code=True)))
    return len(index)


def rank_of(question: Question, hits: list[Hit]) -> int:
    """The rank of the right function among the functions that were found, from 1; 0 if none.

    A question without a symbol asks for a file.
    """
    seen: list[tuple[object, object]] = []
    for hit in hits:
        metadata = hit.metadata or {}
        symbol = None if question.symbol is None else metadata.get("symbol")
        function = (metadata.get("source"), symbol)
        if function not in seen:
            seen.append(function)
    right = (question.source, question.symbol)
    return seen.index(right) + 1 if right in seen[:_DEPTH] else 0


def measured(
    index: Index,
    questions: list[Question],
    mode: SearchMode,
    where: dict[str, object] | None,
    weight: float | None,
) -> dict[str, float]:
    """Recall, MRR and time of searches of one kind, as `edgeembed search --code` does them."""
    took: list[float] = []
    ranks: list[int] = []
    for question in questions:
        began = time.perf_counter()
        hits = index.search(question.text, 4 * _DEPTH, mode=mode, where=where, weight=weight)
        took.append(time.perf_counter() - began)
        ranks.append(rank_of(question, hits))
    found = [rank for rank in ranks if rank]
    return {
        "recall@10": round(len(found) / len(ranks), 4),
        "mrr@10": round(sum(1 / rank for rank in found) / len(ranks), 4),
        "p50_ms": round(float(np.median(took)) * 1000, 1),
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path, default=Path(sysconfig.get_path("stdlib")))
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--model", help="a bundle; default: the one in the package")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Encoder.load(options.model) as encoder:
        folder = Path(scratch) / options.package.name
        questions = copied(options.package, folder)
        functions = len(questions)
        random.Random(options.seed).shuffle(questions)
        questions = questions[: options.questions]
        with Index.create(Path(scratch) / "code.index", encoder=encoder) as index:
            began = time.monotonic()
            passages = filled(index, encoder, folder)
            seconds = time.monotonic() - began
            figures: dict[str, object] = {
                "package": options.package.name,
                "model": encoder.manifest.name,
                "documented_functions": functions,
                "questions": len(questions),
                "passages": passages,
                "indexing_seconds": round(seconds, 1),
            }
            weight = encoder.search_profile.code_weight
            figures["weight"] = weight
            for mode in MODES:
                figures[mode] = measured(index, questions, mode, _FUNCTIONS, weight)
            figures["hybrid among all"] = measured(index, questions, "hybrid", None, weight)
    for name, value in figures.items():
        print(f"{name:22} {value}")
    suffix = f"-{figures['model']}" if options.model else ""
    print(write_results(f"code-docstrings-{options.package.name}{suffix}", figures))


if __name__ == "__main__":
    main()
