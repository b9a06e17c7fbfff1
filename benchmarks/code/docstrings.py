"""Docstring to function: does a repository's search find what a function's author says of it?

    python benchmarks/code/docstrings.py [--package FOLDER] [--questions 1000]

The docstrings are taken out of the code of a Python package, the standard library by default; what
is left is indexed as `edgeembed index --code` does. The first sentence of a docstring is the
question, its function the one right answer: recall@10 and MRR@10, by meaning, by words and by both.
"""

import argparse
import ast
import random
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.results_file import write_results
from edgeembed import Encoder, Hit, Index
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.files import scan
from edgeembed.ingest.passages import ChunkSettings, Passage, PassageReader

_LEAST_WORDS, _DEPTH, _BATCH = 5, 10, 256
# What is no library of its own, or is installed beside the standard library.
_OTHERS = ("site-packages", "test", "tests", "idle_test", "lib2to3", "pydoc_data", "__pycache__")
_MODES = ("dense", "keyword", "hybrid")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a docstring says first, and the function that it stands in."""

    text: str
    source: str
    symbol: str


def without_docstrings(source: str) -> tuple[str, list[tuple[str, str]]]:
    """A module's code without its docstrings; (symbol, first sentence) of its functions."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    found: list[tuple[str, str]] = []
    waiting: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ())]
    cuts: list[tuple[ast.Expr, bool]] = []
    while waiting:
        node, scopes = waiting.pop()
        name = getattr(node, "name", "")
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        inside = (*scopes, name) if name else scopes
        if isinstance(node, ast.Module | ast.ClassDef) or is_function:
            first = node.body[0] if node.body else None
            text = ast.get_docstring(node)
            if text and isinstance(first, ast.Expr):
                cuts.append((first, len(node.body) == 1))
                if is_function:
                    found.append((".".join(inside), first_sentence(text)))
        if not is_function:
            waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
    for expression, alone in cuts:
        for number in range(expression.lineno - 1, expression.end_lineno or expression.lineno):
            lines[number] = ""
        if alone:
            lines[expression.lineno - 1] = " " * expression.col_offset + "...\n"
    return "".join(lines), found


def first_sentence(docstring: str) -> str:
    """The first sentence of the first paragraph, in one line."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return paragraph.partition(". ")[0]


def copied(package: Path, folder: Path) -> list[Question]:
    """Write a package's code without docstrings; return what these ask for."""
    questions: list[Question] = []
    for path in sorted(package.rglob("*.py")):
        inner = path.relative_to(package)
        if any(part in _OTHERS for part in inner.parts):
            continue
        try:
            code, found = without_docstrings(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        target = folder / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code, encoding="utf-8")
        questions += [
            Question(text=text, source=str(target), symbol=symbol)
            for symbol, text in found
            if len(text.split()) >= _LEAST_WORDS
        ]
    texts = [question.text for question in questions]
    return [question for question in questions if texts.count(question.text) == 1]


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
                took: list[float] = []
                ranks: list[int] = []
                for question in questions:
                    began = time.perf_counter()
                    hits = index.search(question.text, 4 * _DEPTH, mode=mode)
                    took.append(time.perf_counter() - began)
                    ranks.append(rank_of(question, hits))
                found = [rank for rank in ranks if rank]
                figures[mode] = {
                    "recall@10": round(len(found) / len(ranks), 4),
                    "mrr@10": round(sum(1 / rank for rank in found) / len(ranks), 4),
                    "p50_ms": round(float(np.median(took)) * 1000, 1),
                }
    for name, value in figures.items():
        print(f"{name:22} {value}")
    print(write_results(f"code_docstrings_{options.package.name}", figures))


if __name__ == "__main__":
    main()
