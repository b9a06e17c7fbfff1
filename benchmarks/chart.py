"""The chart of the README, from results/encode.json. Needs matplotlib."""

import json
from pathlib import Path

import matplotlib as mpl
from results_file import RESULTS

mpl.use("Agg")
import matplotlib.pyplot as plt

TARGET = Path(__file__).parents[1] / "docs" / "benchmark.png"
OWN, PEER, OTHER = "#1f6f5c", "#9aa5a1", "#d9dedc"
PANELS = (
    ("short", "texts of 28 tokens"),
    ("passages", "passages of 200 tokens"),
    ("single", "one short text alone"),
)


def main() -> None:
    sides = json.loads((RESULTS / "encode.json").read_text())["sides"]
    names = list(reversed(sides))
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 4.2), sharey=True)
    for axis, (task, title) in zip(axes, PANELS, strict=True):
        values = [sides[name]["speed_ratio"][task] for name in names]
        shown = [min(value, 10) for value in values]
        colours = [
            OWN if name.startswith("edgeembed") else PEER if sides[name]["cosine"] else OTHER
            for name in names
        ]
        bars = axis.barh(names, shown, color=colours, height=0.7)
        labels = [f"{value:.1f}" + (" →" if value > 10 else "") for value in values]
        axis.bar_label(bars, labels, padding=3, fontsize=8)
        axis.axvline(1, color="#555555", linewidth=0.8, linestyle=":")
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlim(0, 11.5)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0, labelsize=8.5)
        axis.tick_params(axis="x", labelsize=8)
    figure.suptitle(
        "Speed of all-MiniLM-L6-v2 on 2 cores, sentence-transformers (PyTorch) = 1",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    figure.tight_layout()
    figure.savefig(TARGET, dpi=130)
    print("written:", TARGET)


if __name__ == "__main__":
    main()
