"""Draws results/peers.json as docs/benchmark-peers.png; runs in the environment `chart`."""

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

ROOT = Path(__file__).parents[3]
PANELS = {
    "short": "short texts, throughput",
    "passages": "passages, throughput",
    "single": "one short query, latency",
    "cold": "process start to first vector",
}
NAMES = {
    "edgeembed-int8": "edgeembed int8",
    "openvino-int8": "OpenVINO int8 (NNCF)",
    "optimum-int8": "Optimum int8",
    "sentence-transformers-onnx-int8": "sentence-tr. ONNX int8",
    "openvino-bf16": "OpenVINO bf16",
    "edgeembed-fp32": "edgeembed fp32",
    "openvino-fp32": "OpenVINO fp32",
    "fastembed": "fastembed",
    "optimum": "Optimum",
    "sentence-transformers-onnx": "sentence-tr. ONNX",
    "sentence-transformers": "sentence-tr. torch",
}
OWN, PEER, BASE, QUIET = "#0b6e4f", "#9db4c0", "#5c6b73", "#5c6b73"
REDUCED = {name for name in NAMES if name.endswith(("int8", "bf16"))}


def draw(results: dict, path: Path) -> None:
    """Bars by kind of arithmetic: reduced precision above, fp32 below."""
    sides = results["sides"]
    names = [name for name in NAMES if name in sides]
    gap = 0.6
    rows = [row + gap * (name not in REDUCED) for row, name in enumerate(names)]
    figure, axes = plt.subplots(
        1, len(PANELS) + 1, figsize=(12.5, 0.36 * len(names) + 1.9), sharey=True,
        gridspec_kw={"width_ratios": [3] * len(PANELS) + [1.5]},
    )  # fmt: skip
    for axis, (task, title) in zip(axes, PANELS.items(), strict=False):
        bars(axis, rows, names, [sides[name]["ratio"][task] for name in names])
        axis.set_title(title, fontsize=9.5, loc="left")
    axes[0].set_yticks(rows, [NAMES[name] for name in names], fontsize=9.5)
    axes[0].set_ylim(rows[-1] + 0.6, -0.6)
    for label, name in zip(axes[0].get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if name.startswith("edgeembed") else "normal")
    faithfulness(axes[-1], rows, [sides[name]["cosine"] for name in names])
    machine = results["machine"]
    figure.suptitle(
        "Times as fast as sentence-transformers (torch), all-MiniLM-L6-v2, "
        f"{machine['threads']} {machine['architecture']} cores",
        fontsize=12, x=0.01, ha="left", fontweight="bold",
    )  # fmt: skip
    figure.text(0.01, 0.015, footnote(results), fontsize=8, color=QUIET)
    figure.tight_layout(rect=(0, 0.045, 1, 0.99), w_pad=1.2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def bars(axis: Axes, rows: list[float], names: list[str], ratios: list[float]) -> None:
    colors = [
        OWN if name.startswith("edgeembed") else BASE if name == "sentence-transformers" else PEER
        for name in names
    ]
    axis.barh(rows, ratios, color=colors, height=0.74)
    axis.axvline(1, color=BASE, linewidth=0.8, linestyle=":")
    for row, name, value in zip(rows, names, ratios, strict=True):
        weight = "bold" if name.startswith("edgeembed") else "normal"
        text = f" {value:.0f}x" if value >= 20 else f" {value:.1f}x"
        axis.text(value, row, text, va="center", fontsize=8.5, fontweight=weight)
    axis.set_xlim(0, max(ratios) * 1.2)
    axis.set_xticks([])
    axis.tick_params(axis="y", length=0)
    axis.spines[:].set_visible(False)


def faithfulness(axis: Axes, rows: list[float], cosines: list[dict]) -> None:
    """A column of figures: the worst text's cosine to the original's vector."""
    for row, close in zip(rows, cosines, strict=True):
        axis.text(0, row, f"{close['min']:.5f}", va="center", fontsize=8.5)
    axis.set_title("lowest cosine", fontsize=9.5, loc="left")
    axis.set_xlim(0, 1)
    axis.set_axis_off()


def footnote(results: dict) -> str:
    said = [f"Longer is better; medians of {results['rounds']} rounds, all sides in turn."]
    other = [side for side in results["sides"].values() if not side["same_model"]]
    for side in other:
        short, passages = side["ratio"]["short"], side["ratio"]["passages"]
        said.append(f"Not shown: model2vec, another, weaker model ({short:.0f}x, {passages:.0f}x).")
    if results["missing"]:
        said.append("Missing: " + ", ".join(results["missing"]) + ".")
    return " ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = ROOT / "benchmarks" / "results" / "peers.json"
    parser.add_argument("results", type=Path, nargs="?", default=default)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "benchmark-peers.png")
    options = parser.parse_args()
    draw(json.loads(options.results.read_text()), options.output)
    print("written:", options.output)


if __name__ == "__main__":
    main()
