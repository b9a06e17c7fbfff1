"""Breaks every file of a laptop's folder and indexes it: no end of the run, and every file told.

    python benchmarks/laptop/broken.py

The 2,000 files of 28 kinds of measure.py are cut off, changed in some bytes, overwritten or spliced
with others of their kind; with them stands one sound file. A file counts as told if the index has
something of it, or the report names it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from benchmarks.common.results_file import write_results
from benchmarks.laptop.corpus import make_corpus
from edgeembed import Index

SOUND = "sound.txt"


def broken(rng: Random, data: bytes, other: bytes) -> bytes:
    """One kind of damage, chosen by chance."""
    at = rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            return data[:at]
        case 1:
            changed = bytearray(data)
            for _ in range(rng.randint(1, 40)):
                changed[rng.randrange(len(data))] = rng.randrange(256)
            return bytes(changed)
        case 2:
            noise = rng.randbytes(rng.randint(1, 400))
            return data[:at] + noise + data[at + len(noise) :]
        case _:
            return data[:at] + other[rng.randrange(len(other)) :]


def main() -> None:
    """Break, index, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = make_corpus(Path(scratch) / "laptop", files=options.files, seed=options.seed)
        before: dict[str, bytes] = {}
        for name in corpus.files:
            path, kind = corpus.folder / name, name.partition(".")[2]
            data = path.read_bytes()
            path.write_bytes(broken(rng, data, before.get(kind, data)))
            before[kind] = data
        (corpus.folder / SOUND).write_text("The boiler was serviced by Mr Huber.", "utf-8")
        index = Path(scratch) / "laptop.index"
        began = time.monotonic()
        command = [sys.executable, "-m", "edgeembed", "index", str(corpus.folder), "-m", "static"]
        done = subprocess.run(
            [*command, "-i", str(index), "--json"], capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - began
        if done.returncode not in (0, 1) or not done.stdout:
            raise SystemExit(f"the run ended with {done.returncode}: {done.stderr}")
        run = json.loads(done.stdout)
        told = {each["name"] for each in run["left_out"]}
        with Index.open(index) as opened:
            has = {
                name
                for name in (*corpus.files, SOUND)
                if next(opened.keys(str(corpus.folder / name)), None) is not None
            }
        failures = "\n".join(run["failed"])
        untold = [
            name
            for name in corpus.files
            if name not in has and str(corpus.folder / name) not in told and name not in failures
        ]
    figures = {
        "files": len(corpus.files),
        "with_text": len(has) - 1,
        "left_out": dict(Counter(each["reason"] for each in run["left_out"])),
        "failed": len(run["failed"]),
        "untold": untold,
        "sound_file_indexed": SOUND in has,
        "exit_code": done.returncode,
        "tracebacks": done.stderr.count("Traceback") + failures.count("Traceback"),
        "seconds": round(seconds),
    }
    for name, value in figures.items():
        print(f"{name:20} {value}")
    print(write_results("laptop-broken", figures))


if __name__ == "__main__":
    main()
