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
from edgeembed.ingest.passages import ChunkSettings, Passage, PassageReader
from edgeembed_runtime.index.search.query import SearchMode

_DEPTH, _BATCH = 10, 256
_FUNCTIONS: dict[str, object] = {"kind": {"$in": ["function", "method"]}}
_MODES: tuple[SearchMode, ...] = ("dense", "keyword", "hybrid")


def filled(index: Index, encoder: Encoder, folder: Path) -> tuple[int, float]:
    """Index a folder of code: (passages, seconds)."""
    began = time.monotonic()
    reader = PassageReader(encoder=encoder, chunks=ChunkSettings())
    passages: list[Passage] = []
    for file in scan([folder], WalkSettings(code=True)).files:
        passages += reader.read(file)
    for start in range(0, len(passages), _BATCH):
        batch = passages[start : start + _BATCH]
        index.upsert(
            [passage.key for passage in batch],
            documents=[passage.text for passage in batch],
            titles=[passage.title for passage in batch],
            metadatas=[passage.metadata for passage in batch],
        )
    return len(passages), time.monotonic() - began


def rank_of(question: Question, hits: list[Hit]) -> int:
    """The rank of the right function among the functions that were found, from 1; 0 if none."""
    seen: list[tuple[object, object]] = []
    for hit in hits:
        metadata = hit.metadata or {}
        function = (metadata.get("source"), metadata.get("symbol"))
        if function not in seen:
            seen.append(function)
    right = (question.source, question.symbol)
    return seen.index(right) + 1 if right in seen[:_DEPTH] else 0


def measured(
    index: Index, questions: list[Question], mode: SearchMode, where: dict[str, object] | None
) -> dict[str, float]:
    """Recall, MRR and time of searches of one kind."""
    took: list[float] = []
    ranks: list[int] = []
    for question in questions:
        began = time.perf_counter()
        hits = index.search(question.text, 4 * _DEPTH, mode=mode, where=where)
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
            passages, seconds = filled(index, encoder, folder)
            figures: dict[str, object] = {
                "package": options.package.name,
                "model": encoder.manifest.name,
                "documented_functions": functions,
                "questions": len(questions),
                "passages": passages,
                "indexing_seconds": round(seconds, 1),
            }
            for mode in _MODES:
                figures[mode] = measured(index, questions, mode, _FUNCTIONS)
            figures["hybrid among all"] = measured(index, questions, "hybrid", None)
    for name, value in figures.items():
        print(f"{name:22} {value}")
    print(write_results(f"code-docstrings-{options.package.name}", figures))


if __name__ == "__main__":
    main()
