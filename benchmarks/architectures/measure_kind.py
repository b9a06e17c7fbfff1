"""Converts one directory and compares the bundle with sentence-transformers, text by text."""

import gc
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeembed import Encoder, convert
from edgeembed_converters.packaging.report import ConversionReport
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.errors import EdgeEmbedError

Outcome = Literal["same", "different", "refused", "crashed", "absent"]
# The bar for fp32, of every text.
SAME_COSINE = 0.99999
# None of them is a text that conversions are proven on.
TEXTS = (
    "The ferry leaves the north pier at seven and comes back before noon.",
    "Ein kleines Boot fährt bei Nebel über den See.",
    "short",
    "q",
    "UPPER and lower Case, naïve façade, 12345.678 and 3/4",
    "日本語の文章と中文混合文本，没有空格。",
    "Поезд опаздывает на двадцать минут.",
    "emoji 👩‍🚀🚀 joined, e\u0301 combining, \u200b zero width, \u00a0 no break",
    'for i in range(10): print(f"{i:>3}")\n\treturn None',
    "   spaces before and after   ",
    "tabs\tand\nlines\r\nand   runs of   spaces",
    "SELECT name FROM boats WHERE length > 12 ORDER BY name;",
    "https://example.com/harbor?lamp=4#tide mail@example.com",
    "What is the height of the tide at four in the afternoon?",
    "A lamp is lit at the end of the pier whenever a boat is late.",
    "harbors, lamps, maps and tides " * 4,
    "a rather long sentence that goes on about harbors, lamps, maps and tides " * 12,
)


@dataclass(kw_only=True)
class Row:
    """What was measured of one kind. `printed` is in bytes, `seconds` is the conversion's."""

    configuration: str = ""
    tokenizer: str = ""
    pooling: str = ""
    outcome: Outcome = "crashed"
    weights: Literal["random", "real"] = "random"
    fp32_min: float | None = None
    int8_min: float | None = None
    int8_mean: float | None = None
    seconds: float | None = None
    peak_mb: int | None = None
    printed: int | None = None
    witness: str = ""
    max_tokens: int | None = None
    notes: tuple[str, ...] = ()
    error: str = ""

    def as_dict(self) -> dict[str, object]:
        """The row as plain JSON types."""
        return asdict(self)


def measure(directory: Path, folder: Path, row: Row, *, int8: bool) -> None:
    """Convert `directory` into `folder`, with int8 if asked, and fill in `row`."""
    before = _printed()
    began = time.perf_counter()
    try:
        report = convert(str(directory), folder / "bundle", quantize="int8" if int8 else None)
    except EdgeEmbedError as error:
        row.outcome = "refused"
        row.error = f"{type(error).__name__}: {error}".replace(str(directory), "DIRECTORY")
        return
    finally:
        row.seconds = round(time.perf_counter() - began, 1)
        row.peak_mb = _peak_mb()
        row.printed = _printed() - before
    row.notes, row.max_tokens = report.notes, report.max_tokens
    row.witness = report.witness
    gc.collect()
    _compare(directory, report, row)


def _compare(directory: Path, report: ConversionReport, row: Row) -> None:
    expected = original_vectors(directory)
    found = {variant.name: _bundle_vectors(report, variant.name) for variant in report.variants}
    fp32 = rowwise_cosine(expected, found["fp32"])
    row.fp32_min = round(float(fp32.min()), 8)
    row.outcome = "same" if row.fp32_min >= SAME_COSINE else "different"
    if "int8" in found:
        int8 = rowwise_cosine(expected, found["int8"])
        row.int8_min, row.int8_mean = round(float(int8.min()), 6), round(float(int8.mean()), 6)


def original_vectors(directory: Path) -> NDArray[np.float32]:
    """Sentence-transformers' own vectors of the texts, one text at a time: (n, d)."""
    import torch
    from sentence_transformers import SentenceTransformer

    dtype = {"torch_dtype": torch.float32}
    model = SentenceTransformer(
        str(directory), device="cpu", local_files_only=True, model_kwargs=dtype
    )
    rows = [model.encode([text], show_progress_bar=False) for text in TEXTS]
    return np.concatenate(rows).astype(np.float32)


def _bundle_vectors(report: ConversionReport, variant: str) -> NDArray[np.float32]:
    with Encoder.load(report.path, variant=variant) as encoder:
        return np.stack([encoder.encode(text) for text in TEXTS])


def _printed() -> int:
    """Bytes on standard output and standard error so far; both are files."""
    sys.stdout.flush()
    sys.stderr.flush()
    return sum(os.fstat(descriptor).st_size for descriptor in (1, 2))


def _peak_mb() -> int:
    import resource

    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
