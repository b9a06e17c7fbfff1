"""From the rounds to figures: medians, ratios to sentence-transformers, cosines, and the table."""

import statistics
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.encoding.peers.sides import BASE, SIDES


def figures_of(rounds: dict[str, dict]) -> dict[str, dict]:
    """Medians over the rounds, and medians of the rounds' ratios to sentence-transformers."""
    return {name: side_figures(side, rounds.get(BASE)) for name, side in rounds.items()}


def side_figures(side: dict, base: dict | None) -> dict:
    figures = {
        "same_model": side["same_model"],
        "batch_size": side["batch_size"],
        "short_texts_per_s": 1 / statistics.median(side["short"]),
        "passages_per_s": 1 / statistics.median(side["passages"]),
        "single_p50_ms": statistics.median(percentile(side, 0.50)) * 1e3,
        "single_p95_ms": statistics.median(percentile(side, 0.95)) * 1e3,
        "cold_start_ms": statistics.median(side["cold"]) * 1e3,
        "resident_mb": side["resident_mb"],
        "cosine": side["cosine"],
        "rounds": {  # seconds, in the same order for every side
            "short": side["short"],
            "passages": side["passages"],
            "single_p50": percentile(side, 0.50),
            "cold": side["cold"],
        },
    }
    if base:
        figures["ratio"] = {
            "short": ratio(base["short"], side["short"]),
            "passages": ratio(base["passages"], side["passages"]),
            "single": ratio(percentile(base, 0.50), percentile(side, 0.50)),
            "cold": ratio(base["cold"], side["cold"]),
            "memory": side["resident_mb"] / base["resident_mb"],
        }
    return figures


def percentile(side: dict, share: float) -> list[float]:
    """Of the sorted latencies of each round."""
    return [times[min(int(len(times) * share), len(times) - 1)] for times in side["single"]]


def ratio(base: list[float], own: list[float]) -> float:
    return statistics.median(b / o for b, o in zip(base, own, strict=True))


def cosine(base: Path, other: Path) -> dict[str, float]:
    """Of the vectors in two files, text by text."""
    a, b = np.load(base).astype(np.float64), np.load(other).astype(np.float64)
    values = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return {"texts": len(values), "mean": float(values.mean()), "min": float(values.min())}


def show(figures: dict[str, dict], missing: dict[str, str]) -> None:
    """The table; a different model stands apart, and what is missing is said."""
    table = Table(title="ratio: times as fast as sentence-transformers (torch), median of rounds")
    table.add_column("", no_wrap=True)
    for head in (
        "short/s", "ratio", "passages/s", "ratio", "p50 ms", "ratio", "p95 ms",
        "cold ms", "ratio", "MB", "cosine mean", "min",
    ):  # fmt: skip
        table.add_column(head, justify="right", no_wrap=True)
    for name in sorted(figures, key=lambda name: not figures[name]["same_model"]):
        if not figures[name]["same_model"]:
            table.add_section()
        table.add_row(SIDES[name].title, *cells(figures[name]))
    for name, reason in missing.items():
        table.add_section()
        table.add_row(SIDES[name].title, "missing")
        print(f"missing: {name}: {reason}")
    console = Console()
    Console(width=max(console.width, 160)).print(table)


def cells(side: dict) -> list[str]:
    ratios, close = side.get("ratio", {}), side["cosine"]
    shown = {key: f"{value:.2f}x" for key, value in ratios.items()}
    return [
        f"{side['short_texts_per_s']:.1f}",
        shown.get("short", "-"),
        f"{side['passages_per_s']:.1f}",
        shown.get("passages", "-"),
        f"{side['single_p50_ms']:.2f}",
        shown.get("single", "-"),
        f"{side['single_p95_ms']:.2f}",
        f"{side['cold_start_ms']:.0f}",
        shown.get("cold", "-"),
        f"{side['resident_mb']:.0f}",
        *([f"{close['mean']:.6f}", f"{close['min']:.6f}"] if close else ["other model", "-"]),
    ]
