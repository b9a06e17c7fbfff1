"""Make the student that a release carries: three layers of all-MiniLM-L6-v2, int8, below 20 MB.

`TEXTS` is a folder as student_texts.py describes, or a file with a text a line. `--leave-out` are
files of evaluations (.tsv, .jsonl), none of whose texts may be learned from. The result is a bundle
in `OUTPUT` and, beside it, OUTPUT.tar.gz of its int8 variant alone: the release asset.
"""

import argparse
import json
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.common.minilm_weights import find_minilm
from benchmarks.distillation.student_texts import gather, without
from edgeembed import LossWeights, TrainingProgress, TrainingSettings, distill_student
from edgeembed_runtime.bundle import Bundle, write_bundle

NAME = "all-MiniLM-L6-v2-3-layers"
MAX_BYTES = 20_000_000


def texts_of(paths: list[Path]) -> Iterator[str]:
    """Every text in files of an evaluation."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if path.suffix == ".jsonl":
                yield from (v for v in json.loads(line).values() if isinstance(v, str))
            else:
                yield from line.split("\t")


def int8_only(path: Path, folder: Path) -> Path:
    """A bundle with nothing but the int8 variant of another."""
    source = Bundle.open(path)
    manifest = source.manifest
    variants = tuple(v for v in manifest.text_tower().variants if v.name == "int8")
    dropped = {v.file for v in manifest.text_tower().variants if v.name != "int8"}
    files = {name: source.path / name for name in manifest.files if name not in dropped}
    made = folder / NAME
    made.mkdir()
    write_bundle(
        made, replace(manifest, text=replace(manifest.text_tower(), variants=variants)), files
    )
    return made


def print_every_50(now: TrainingProgress) -> None:
    if now.step % 50 == 0:
        print(now, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--leave-out", nargs="*", type=Path, default=[])
    parser.add_argument("--thousands", type=int, default=10, help="of texts to learn from")
    parser.add_argument("--work-dir", type=Path)
    parser.add_argument("--curve", type=Path)
    options = parser.parse_args()
    forbidden = list(texts_of(options.leave_out))
    if options.texts.is_dir():
        texts = gather(options.texts, forbidden, options.thousands)
    else:
        texts = without(options.texts.read_text(encoding="utf-8").splitlines(), forbidden)
    report = distill_student(
        find_minilm(),
        texts,
        options.output,
        layers=3,
        losses=LossWeights(similarity=0.0),  # as measured, docs/notes/students.md
        settings=TrainingSettings(learning_rate=5e-4, evaluate_every=80, patience=6),
        held_out=400,
        work_dir=options.work_dir,
        learning_curve=options.curve,
        name=NAME,
        on_step=lambda step: print(step, flush=True),
        on_progress=print_every_50,
    )
    print(json.dumps(report.as_dict(), indent=2, default=str))
    if report.sizes.get("int8", MAX_BYTES + 1) > MAX_BYTES:
        raise SystemExit(f"expected int8 of at most {MAX_BYTES:,} bytes, got {report.sizes}")
    with tempfile.TemporaryDirectory() as folder:
        made = int8_only(options.output, Path(folder))
        asset = options.output.with_name(f"{options.output.name}.tar.gz")
        with tarfile.open(asset, "w:gz") as archive:
            archive.add(made, arcname=NAME)
    print(f"{asset}: {asset.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
