"""What every benchmark runs on: a real model, and real texts of two lengths."""

import tempfile
from pathlib import Path

from benchmarks.common.minilm_weights import find_minilm
from edgeembed import convert
from edgeembed.demo.stdlib_docs import stdlib_functions

BUNDLE = Path(tempfile.gettempdir()) / "edgeembed-benchmark" / "all-MiniLM-L6-v2.bundle"


def model_directory() -> Path:
    """The original model."""
    return find_minilm()


def bundle() -> Path:
    """The bundle of it, converted once per machine."""
    if not BUNDLE.exists():
        convert(model_directory(), BUNDLE, quantize="int8", name="all-MiniLM-L6-v2")
    return BUNDLE


def short_texts(count: int) -> list[str]:
    """Texts of about 25 tokens."""
    docs = [doc.text[:120] for doc in stdlib_functions() if len(doc.text) > 80]
    return [docs[(17 * i) % len(docs)] for i in range(count)]


def passages(count: int) -> list[str]:
    """Texts of about 200 tokens."""
    texts = [doc.text for doc in stdlib_functions()]
    return [
        " ".join(texts[(53 * i + j) % len(texts)] for j in range(10))[:850] for i in range(count)
    ]
