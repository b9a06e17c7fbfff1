"""Spearman correlation (times 100) on STS files: sentence-transformers, fp32 and int8, same texts.

A file has a score and two sentences per line, separated by tabs.
"""

import argparse
from pathlib import Path

import numpy as np
from model_and_texts import bundle, model_directory
from results_file import write_results
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer

from edgeembed import Encoder


def read(path: Path) -> tuple[list[float], list[str], list[str]]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [float(row[0]) for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def spearman(encode, scores, left, right) -> float:
    unique = sorted(set(left) | set(right))
    rows = {text: row for row, text in enumerate(unique)}
    vectors = np.asarray(encode(unique), np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    a, b = vectors[[rows[text] for text in left]], vectors[[rows[text] for text in right]]
    return 100 * float(spearmanr(scores, (a * b).sum(1)).statistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    sides = {
        "sentence-transformers": SentenceTransformer(str(model_directory())).encode,
        "fp32": Encoder.load(bundle(), variant="fp32").encode,
        "int8": Encoder.load(bundle(), variant="int8").encode,
    }
    figures = {}
    print(f"{'':16} {'pairs':>6} " + " ".join(f"{name:>22}" for name in sides))
    for path in options.files:
        scores, left, right = read(path)
        found = {name: spearman(encode, scores, left, right) for name, encode in sides.items()}
        figures[path.stem] = {"pairs": len(scores), **found}
        print(
            f"{path.stem:16} {len(scores):>6} "
            + " ".join(f"{value:>22.2f}" for value in found.values())
        )
    print("written:", write_results("sts", {"spearman_x100": figures}).name)


if __name__ == "__main__":
    main()
