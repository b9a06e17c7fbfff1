"""How fast code is indexed, kept up to date and searched, and what an assistant waits for.

    python benchmarks/code/speed.py [--package FOLDER] [--functions 10000] [--model static]

So many functions of a Python package, the standard library by default, are indexed as `edgeembed
index --code` does; then one file is touched, questions are asked in a running process, and the
calls of an assistant are made by the client of the official SDK. Measured beside others that use
the machine, so its load stands beside the figures. The peak of memory is that of this process and
of the one that parses files, together. With --functions beyond what the package has,
its files are copied once more, with other code in most functions.
"""

import argparse
import ast
import os
import resource
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from benchmarks.common.results_file import write_results
from edgeembed import Encoder, Index
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.files import scan
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.text_indexer import IndexingReport, PassageIndexer
from edgeembed.search.encoders import bundle_info
from edgeembed.search.seen_vectors import seen_vectors

_OTHERS = ("site-packages", "test", "tests", "idle_test", "lib2to3", "pydoc_data", "__pycache__")
_QUESTIONS = (
    "where are failed uploads retried",
    "parse a date with a time zone",
    "close all sockets when the loop ends",
    "read a line from a stream",
    "quote a string for the shell",
    "copy a file with its permissions",
    "wait until a lock is free",
    "split a path into its parts",
    "encode bytes as base64",
    "walk over all files of a folder",
)
_ROUNDS = 20


def copied(package: Path, folder: Path, functions: int) -> int:
    """Copy files of a package until there are so many functions; the number of functions."""
    found = copies = 0
    while found < functions:
        before = found
        for path in sorted(package.rglob("*.py")):
            inner = path.relative_to(package)
            if found >= functions or any(part in _OTHERS for part in inner.parts):
                continue
            try:
                code = path.read_text(encoding="utf-8")
                nodes = list(ast.walk(ast.parse(code)))
            except (SyntaxError, UnicodeDecodeError, ValueError):
                continue
            found += sum(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in nodes)
            target = folder / (f"copy{copies}" if copies else ".") / inner
            target.parent.mkdir(parents=True, exist_ok=True)
            if copies:
                code = code.replace("(self", f"(self{copies}").replace(
                    "return ", f"return +{copies}, "
                )
            target.write_text(code, encoding="utf-8")
        copies += 1
        if found == before:
            break
    return found


def indexed(index: Index, encoder: Encoder, folder: Path) -> tuple[IndexingReport, float]:
    """Bring an index up to date: (report, seconds with the scan)."""
    began = time.monotonic()
    reader = PassageReader(encoder=encoder, chunks=ChunkSettings())
    report = PassageIndexer(index, reader).run(scan([folder], WalkSettings(code=True)))
    return report, time.monotonic() - began


def milliseconds(call: Callable[[str], object]) -> dict[str, float]:
    """p50 and p95 of a call with each question, after one round to warm up."""
    took: list[float] = []
    for round_ in range(_ROUNDS + 1):
        for question in _QUESTIONS:
            began = time.perf_counter()
            call(question)
            if round_:
                took.append((time.perf_counter() - began) * 1000)
    return _spread(took)


def peak_memory_mb() -> int:
    """The most that this process had, and the one that parses files, added."""
    parser = max(map(_peak_of, children()), default=0)
    # In kB, except on macOS. Parsers that have ended, and the one that is there.
    unit = 1 if sys.platform == "darwin" else 1024
    own, ended = (
        resource.getrusage(who).ru_maxrss * unit
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return round((own + max(parser, ended)) / (1 << 20))


def children() -> list[int]:
    """The ids of this process's children; none where there is no /proc."""
    found = Path("/proc/self/task").glob("*/children")
    return [int(each) for path in found for each in path.read_text().split()]


def _peak_of(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return next(
        (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0
    )


async def assistants_calls(path: Path) -> dict[str, dict[str, float]]:
    """p50 and p95 of the three typical calls, over standard input and output."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "edgeembed", "mcp", str(path)],
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    async with Client(server) as client:
        answer = await client.call_tool("search", {"query": _QUESTIONS[0]})
        places = [each["place"] for each in (answer.structured_content or {})["result"]]
        calls: dict[str, list[dict[str, Any]]] = {
            "search": [{"query": question} for question in _QUESTIONS],
            "find_similar": [{"place": place} for place in places],
            "read_passage": [{"place": place} for place in places],
        }
        figures: dict[str, dict[str, float]] = {}
        for tool, arguments in calls.items():
            took: list[float] = []
            for round_ in range(_ROUNDS + 1):
                for given in arguments:
                    began = time.perf_counter()
                    result = await client.call_tool(tool, given)
                    if result.is_error:
                        raise RuntimeError(f"{tool} {given}: {result.content}")
                    if round_:
                        took.append((time.perf_counter() - began) * 1000)
            figures[tool] = _spread(took)
        return figures


def _spread(took: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(float(np.percentile(took, 50)), 1),
        "p95_ms": round(float(np.percentile(took, 95)), 1),
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path, default=Path(sysconfig.get_path("stdlib")))
    parser.add_argument("--functions", type=int, default=10_000)
    parser.add_argument("--model", help="a bundle; default: the one in the package")
    parser.add_argument("--variant", default="auto")
    options = parser.parse_args()
    figures: dict[str, object] = {"package": options.package.name}
    with tempfile.TemporaryDirectory() as scratch:
        folder, path = Path(scratch) / "code", Path(scratch) / "code.index"
        figures["functions"] = copied(options.package, folder, options.functions)
        with Encoder.load(options.model, variant=options.variant) as encoder:
            Index.create(path, encoder=encoder, info=bundle_info(encoder)).close()
        cache = seen_vectors(path)
        load = os.getloadavg()[0]
        with (
            Encoder.load(options.model, variant=options.variant, cache=cache) as encoder,
            Index.open(path, encoder=encoder, mode="rw") as index,
        ):
            figures["model"], figures["variant"] = encoder.manifest.name, encoder.variant
            report, seconds = indexed(index, encoder, folder)
            figures |= {
                "files": report.files,
                "passages": report.passages,
                "indexing_seconds": round(seconds, 1),
                "processor_seconds": round(sum(os.times()[:4]), 1),
                "load_at_start": round(load, 1),
                "load_at_end": round(os.getloadavg()[0], 1),
            }
            touched = next(folder.rglob("argparse.py"), next(folder.rglob("*.py")))
            touched.write_text(
                touched.read_text(encoding="utf-8") + "\n\ndef more():\n    return 1\n"
            )
            report, seconds = indexed(index, encoder, folder)
            figures["touched_file_seconds"] = round(seconds, 2)
            figures["touched_file_passages"] = report.passages
            index.compact()
            figures["search"] = milliseconds(lambda question: index.search(question, 10))
            figures["search_dense"] = milliseconds(
                lambda question: index.search(question, 10, mode="dense")
            )
            figures["peak_memory_mb"] = peak_memory_mb()
            figures["index_mb"] = round(index.stats().bytes / (1 << 20))
        files = [file for file in path.rglob("*") if file.is_file()]
        figures["folder_mb"] = round(sum(file.stat().st_size for file in files) / (1 << 20))
        figures["assistant"] = anyio.run(assistants_calls, path)
    for name, value in figures.items():
        print(f"{name:22} {value}")
    print(write_results(f"code-speed-{options.functions}-{figures['model']}", figures))


if __name__ == "__main__":
    main()
