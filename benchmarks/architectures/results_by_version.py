"""A file of results for each major version of transformers, and the page that shows them all."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.common.results_file import RESULTS, write_results

_NAME = "architectures-transformers-"
_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "architectures.md"
_INTRODUCTION = """\
# Architectures

Kinds of text encoders that were converted and compared with the original:
{versions}.

A model of each kind is made by transformers and sentence-transformers, tiny and with **random
weights**, converted, and compared with sentence-transformers' own `encode`, one text at a time, on
{texts} texts that conversions are not proven on: of several scripts, code, one that is too long.
"fp32" is the lowest cosine over these texts: **{same} of {kinds} kinds under {first}**{others}
reach {bar}. "int8" is the lowest and the mean cosine of the int8 variant; random weights are harder
to quantize than trained ones, and "-" was not measured. Seconds and megabytes (of the whole
process) are those of the conversion on {machine}.

This page is written by `python benchmarks/architectures/convert_every_kind.py`, run once under each
version of transformers.
"""
Run = Mapping[str, Any]


def merge_results(
    rows: Mapping[str, dict[str, Any]], order: Sequence[str], facts: dict[str, Any]
) -> Path:
    """Write rows of this environment's transformers beside those that its file has already."""
    major = version("transformers").partition(".")[0]
    path = RESULTS / f"{_NAME}{major}.json"
    merged = json.loads(path.read_text())["kinds"] if path.exists() else {}
    merged |= rows
    names = dict.fromkeys([*(name for name in order if name in merged), *merged])
    return write_results(path.stem, {**facts, "kinds": {name: merged[name] for name in names}})


def write_page() -> Path:
    """Write docs/reference/architectures.md from the results of all versions, newest first."""
    runs = [json.loads(path.read_text()) for path in RESULTS.glob(f"{_NAME}*.json")]
    runs.sort(key=lambda run: _release(run), reverse=True)
    names = list(dict.fromkeys(name for run in runs for name in run["kinds"]))
    trained = [name for name in names if _row(runs, name)["weights"] == "real"]
    random = [name for name in names if name not in trained]
    parts = [_introduction(runs, random), *_table("Kinds", random, runs)]
    if trained:
        parts += _table("Trained models", trained, runs)
    parts += _failures(names, runs)
    _PAGE.write_text("\n".join(parts) + "\n")
    return _PAGE


def _introduction(runs: Sequence[Run], names: Sequence[str]) -> str:
    same = [sum(_outcome(run, name) == "same" for name in names) for run in runs]
    others = [
        f", {count} under {run['versions']['transformers']}"
        for run, count in zip(runs[1:], same[1:], strict=True)
    ]
    machine = runs[0]["machine"]
    return _INTRODUCTION.format(
        versions=" and ".join(
            f"transformers {run['versions']['transformers']} with sentence-transformers "
            f"{run['versions']['sentence-transformers']}"
            for run in runs
        ),
        texts=runs[0]["texts"],
        same=same[0],
        kinds=len(names),
        first=runs[0]["versions"]["transformers"],
        others="".join(others),
        bar=runs[0]["same_cosine"],
        machine=f"{machine['threads']} cores of {machine['architecture']}, other work included "
        f"(load {machine['load']:.0f})",
    )


def _table(title: str, names: Iterable[str], runs: Sequence[Run]) -> list[str]:
    versions = [run["versions"]["transformers"] for run in runs]
    head = ["kind", "configuration", "tokenizer", "pooling"]
    head += [f"{figure}, {number}" for number in versions for figure in ("fp32", "int8")]
    head += ["seconds", "MB"]
    lines = [f"## {title}", "", _line(head), _line(["---"] * 4 + ["---:"] * (len(head) - 4))]
    for name in names:
        row = _row(runs, name)
        cells = [name, row["configuration"], row["tokenizer"], row["pooling"]]
        for run in runs:
            cells += _cosines(run["kinds"].get(name))
        cells += [_text(row["seconds"]), _text(row["peak_mb"])]
        lines.append(_line(cells))
    return [*lines, ""]


def _cosines(row: Run | None) -> list[str]:
    if row is None or row["outcome"] == "absent":
        return ["-", "-"]
    if row["fp32_min"] is None:
        return [row["outcome"], "-"]
    fp32 = f"{row['fp32_min']:.7f}"
    if row["outcome"] != "same":
        fp32 = f"**{fp32}**"
    if row["int8_min"] is None:
        return [fp32, "-"]
    return [fp32, f"{row['int8_min']:.4f} / {row['int8_mean']:.4f}"]


def _failures(names: Iterable[str], runs: Sequence[Run]) -> list[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for name in names:
            row = run["kinds"].get(name)
            if row and row["error"] and row["outcome"] != "absent":
                reasons.setdefault((name, row["error"]), []).append(run["versions"]["transformers"])
    if not reasons:
        return []
    lines = ["## Refused", "", _line(["kind", "transformers", "what edgeembed says"])]
    lines.append(_line(["---"] * 3))
    for (name, error), versions in reasons.items():
        lines.append(_line([name, ", ".join(versions), error.replace("|", "\\|")]))
    return [*lines, ""]


def _row(runs: Sequence[Run], name: str) -> Run:
    """The row of the newest version that has the kind."""
    rows = [run["kinds"][name] for run in runs if name in run["kinds"]]
    return next((row for row in rows if row["outcome"] != "absent"), rows[0])


def _outcome(run: Run, name: str) -> str:
    return run["kinds"].get(name, {"outcome": "absent"})["outcome"]


def _release(run: Run) -> tuple[int, ...]:
    return tuple(int(part) for part in run["versions"]["transformers"].split(".")[:3])


def _text(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:g}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
