"""`edgeembed demo`: index and search real texts, with nothing to prepare."""

import contextlib
import shutil
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder, Hit, Index
from edgeembed.cli.search.show_answers import print_blocks
from edgeembed.cli.shared.cache_folder import cache_folder
from edgeembed.cli.shared.opening import is_index
from edgeembed.cli.shared.options import AsJson
from edgeembed.cli.shared.output import bar_progress, out, print_json, say
from edgeembed.demo.stdlib_docs import stdlib_functions
from edgeembed.results.answers import answers_of
from edgeembed.results.duplicates import fold
from edgeembed.search.encoders import bundle_info
from edgeembed_runtime.errors import InputError, SearchIndexError
from edgeembed_runtime.storage import storage_errors

QUESTIONS = (
    "open a web page in the browser",
    "which day of the week is a date",
    "how similar are two sequences",
    "remove spaces around a string",
    "run a shell command and get its output",
)
_WHAT_NEXT = (
    "Try your own files:",
    "  edgeembed index FOLDER",
    '  edgeembed search "your question"',
)
_BATCH = 256


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(
            envvar="EDGEEMBED_CACHE", help="Where to keep the index; default: the user cache."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Results per question.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Index the functions of Python's standard library, and ask questions about them.

    Needs no network: the model comes with the package, the texts with Python. The index is kept, so
    a second run goes straight to the questions.

    Example: edgeembed demo
    """
    root = folder or cache_folder()
    with storage_errors("create", root):
        root.mkdir(parents=True, exist_ok=True)
    with Encoder.load() as encoder, _index(root / "stdlib.index", encoder) as index:
        index.search(QUESTIONS[0])  # the first search reads the index from disk
        answers = [_ask(index, question, k) for question in QUESTIONS]
        times = statistics.median(milliseconds for _, milliseconds in answers)
        if as_json:
            print_json(_summary(encoder.path, index, answers, times))
            return
        for question, (hits, milliseconds) in zip(QUESTIONS, answers, strict=True):
            _show(question, hits, milliseconds, encoder)
        say(
            f"{len(index)} functions; {times:.1f} ms per question, encoding included, "
            f"with {encoder.variant} on {encoder.threads} threads"
        )
        _converse(index, k, encoder)
        say("")
        for line in _WHAT_NEXT:
            say(line)


def _index(path: Path, encoder: Encoder) -> Index:
    """The index of this interpreter's standard library: the existing one, or a new one."""
    if is_index(path):
        with contextlib.suppress(SearchIndexError):
            with Index.open(path) as found:
                if "functions" not in found.info:
                    raise InputError(f"folder: expected a demo's index at {path}, found another")
            index = Index.open(path, encoder=encoder)
            if index.info.get("python") == sys.version and _is_complete(index):
                return index
            index.close()
        with storage_errors("replace", path):
            shutil.rmtree(path)
    docs = list(stdlib_functions())
    info = {**bundle_info(encoder), "python": sys.version, "functions": str(len(docs))}
    with bar_progress() as progress, Index.create(path, encoder=encoder, info=info) as index:
        task = progress.add_task("Indexing the standard library", total=len(docs))
        for start in range(0, len(docs), _BATCH):
            batch = docs[start : start + _BATCH]
            index.upsert(
                [doc.name for doc in batch],
                documents=[doc.summary for doc in batch],
                metadatas=[{"module": doc.module} for doc in batch],
            )
            progress.advance(task, len(batch))
    return Index.open(path, encoder=encoder)


def _is_complete(index: Index) -> bool:
    return index.info.get("functions") == str(len(index))


def _ask(index: Index, question: str, k: int) -> tuple[list[Hit], float]:
    began = time.perf_counter()
    hits = index.search(question, k)
    return hits, (time.perf_counter() - began) * 1000


def _show(question: str, hits: list[Hit], milliseconds: float, encoder: Encoder) -> None:
    named = [replace(hit, document=_without_name(hit)) for hit in hits]
    say(f"{question}  {milliseconds:.1f} ms", bold=True)
    print_blocks(out, answers_of(question, fold(named), encoder))


def _without_name(hit: Hit) -> str:
    return (hit.document or "").removeprefix(f"{hit.key}: ")


def _converse(index: Index, k: int, encoder: Encoder) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    say("")
    say("Ask your own question; an empty line ends.")
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            return
        if not question:
            return
        _show(question, *_ask(index, question, k), encoder)


def _summary(
    bundle: Path, index: Index, answers: list[tuple[list[Hit], float]], times: float
) -> dict[str, object]:
    return {
        "bundle": bundle,
        "index": index.path,
        "functions": len(index),
        "median_ms": times,
        "answers": [
            {
                "question": question,
                "ms": milliseconds,
                "hits": [{"key": hit.key, "score": hit.score} for hit in hits],
            }
            for question, (hits, milliseconds) in zip(QUESTIONS, answers, strict=True)
        ],
    }
