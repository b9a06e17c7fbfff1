"""Converts every kind of text encoder, and compares each with sentence-transformers.

The models are tiny, their weights random; --real adds directories of trained ones. Each kind has a
process of its own. The figures are written for the version of transformers that is installed, and
the page docs/reference/architectures.md is made of those of all versions.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

from benchmarks.architectures.decoders import DECODERS
from benchmarks.architectures.encoders import ENCODERS
from benchmarks.architectures.measure_kind import SAME_COSINE, TEXTS, Row, measure
from benchmarks.architectures.results_by_version import merge_results, write_page
from benchmarks.architectures.tiny_model import AbsentError, make_directory

KINDS = {kind.name: kind for kind in (*ENCODERS, *DECODERS)}
FACTS = {"texts": len(TEXTS), "same_cosine": SAME_COSINE}
_TIMEOUT_S = 600
# Imported once, for all processes.
_PRELOADED = [
    "benchmarks.architectures.convert_every_kind",
    "edgeembed_converters.conversion",
    "onnx.reference",
    "onnxruntime",
    "onnxscript.function_libs.torch_lib.ops",
    "onnxscript.rewriter",
    "sentence_transformers",
    "torch._dynamo",
    "torch.onnx._internal.exporter._core",
    "transformers",
]


def in_own_process(
    name: str, options: argparse.Namespace, directory: Path | None
) -> dict[str, Any]:
    """The row of one kind, or of the trained model in `directory`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        result = home / "row.json"
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        process = context.Process(target=worker, args=(name, home, options, directory))
        process.start()
        process.join(_TIMEOUT_S)
        process.kill()
        process.join()
        if result.exists():
            return json.loads(result.read_text())
        last = (home / "stderr").read_text(errors="replace").strip().splitlines() or [""]
        row = described(name, directory)
        row.error = f"exit code {process.exitcode}: {last[-1]:.300}"
        return row.as_dict()


def described(name: str, directory: Path | None) -> Row:
    """The row of a kind, or of the trained model in `directory`, before it is measured."""
    if directory is not None:
        return Row(weights="real")
    kind = KINDS[name]
    return Row(configuration=kind.config, tokenizer=kind.vocabulary, pooling=kind.pooling)


def worker(name: str, folder: Path, options: argparse.Namespace, directory: Path | None) -> None:
    """Measure one kind in this process, and write its row."""
    import resource

    limit = options.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for descriptor, file in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / file, os.O_WRONLY | os.O_CREAT), descriptor)
    # How a tiny model is made is not what is measured.
    warnings.filterwarnings("ignore")
    row = described(name, directory)
    try:
        model = directory or make_directory(KINDS[name], folder)
        measure(model, folder, row, int8=not options.fp32)
    except AbsentError as error:
        row.outcome, row.error = "absent", str(error)
    except Exception as error:  # a crash is a finding: it becomes a row
        traceback.print_exc()
        row.outcome, row.error = "crashed", f"{type(error).__name__}: {error}"[:400]
    (folder / "row.json").write_text(json.dumps(row.as_dict()))


def show(name: str, row: dict[str, Any]) -> None:
    figures = " ".join(
        f"{key}={row[key]}"
        for key in ("fp32_min", "int8_min", "int8_mean", "seconds", "peak_mb", "printed")
    )
    print(f"{name}: {row['outcome']} {figures} {row['error']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="some kinds only")
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="trained models as well")
    parser.add_argument("--memory-mb", type=int, default=12_000, help="address space of each")
    parser.add_argument("--fp32", action="store_true", help="leave out int8: faster")
    parser.add_argument("--page", action="store_true", help="only write the page")
    options = parser.parse_args()
    if not options.page:
        places = dict.fromkeys(options.kinds) | {path.name: path for path in options.real}
        for name, directory in places.items():
            row = in_own_process(name, options, directory)
            show(name, row)
            merge_results({name: row}, list(KINDS), FACTS)
    print("written:", write_page().name)


if __name__ == "__main__":
    main()
