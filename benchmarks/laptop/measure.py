"""Indexes a laptop's folder by default settings and asks for what stands in it.

    python benchmarks/laptop/measure.py

2,000 files of 28 kinds, made by the libraries that people make such files with; 200 of 500 facts
are asked for in other words. Told are the questions whose right file comes first, and whose right
passage does, with its page, slide, sheet or characters; the files that are neither found nor told;
and, of some of the files, how long reading them and cutting them takes beside encoding the same
passages: the two take turns, medians count. With --folder an index that is there is brought up to
date, so that a run can be stopped.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.results_file import write_results
from benchmarks.laptop.corpus import Asked, Corpus, make_corpus
from edgeembed import Encoder, Index
from edgeembed.ingest.discover.found import FoundFile
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.search.settings import SearchSettings
from edgeembed_runtime.index.base.encoding import titled

BATCH = 256
ROUNDS = 3


def edgeembed(*arguments: object) -> Any:
    """The JSON that a command prints; codes other than 0 are told in it."""
    done = subprocess.run(
        [sys.executable, "-m", "edgeembed", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def cost_of_reading(corpus: Corpus, count: int) -> dict[str, Any]:
    """How long reading and cutting some files takes, and encoding what comes of them."""
    files = [FoundFile(path=corpus.folder / name, name=name) for name in corpus.files[:count]]
    reading: list[float] = []
    encoding: list[float] = []
    texts: Sequence[str] = ()
    with Encoder.load() as encoder:
        for _ in range(ROUNDS):
            reader = PassageReader(encoder=encoder, chunks=ChunkSettings())
            began = time.monotonic()
            texts = [titled(each.title, each.text) for file in files for each in reader.read(file)]
            reading.append(time.monotonic() - began)
            began = time.monotonic()
            for start in range(0, len(texts), BATCH):
                encoder.encode_document(texts[start : start + BATCH])
            encoding.append(time.monotonic() - began)
    seconds = statistics.median(reading), statistics.median(encoding)
    return {
        "files": len(files),
        "passages": len(texts),
        "reading_seconds": round(seconds[0], 2),
        "encoding_seconds": round(seconds[1], 2),
        "reading_share": round(seconds[0] / seconds[1], 3),
    }


def is_right_place(asked: Asked, hit: dict[str, Any], file: Path) -> bool:
    """Whether a hit shows the answer, and says truly where it stands."""
    metadata = hit["metadata"]
    if asked.fact.answer not in hit["document"]:
        return False
    place = dict(asked.place)
    encoding = place.pop("encoding", None)
    if encoding is not None:
        text = file.read_bytes().decode(encoding)
        if asked.fact.answer not in text[metadata["start"] : metadata["end"]]:
            return False
    return all(metadata.get(name) == value for name, value in place.items())


def untold(corpus: Corpus, index: Path, run: dict[str, Any]) -> list[str]:
    """Files of which the index has nothing, and the report says nothing."""
    told = {each["name"] for each in run["left_out"]}
    with Index.open(index) as opened:
        return [
            name
            for name in corpus.files
            if str(corpus.folder / name) not in told
            and next(opened.keys(str(corpus.folder / name)), None) is None
        ]


def ask(corpus: Corpus, index: Path) -> dict[str, Any]:
    """How many questions find their file and their place, over all and by kind of file."""
    right_file, right_place, total = Counter[str](), Counter[str](), Counter[str]()
    missed: list[str] = []
    with Encoder.load() as encoder, Index.open(index, encoder=encoder) as opened:
        for asked in corpus.asked:
            kind = asked.file.partition(".")[2]
            total[kind] += 1
            (best,) = SearchSettings(k=1).run(opened, asked.fact.question)
            found = {"metadata": best.hit.metadata, "document": best.hit.document}
            path = corpus.folder / asked.file
            if found["metadata"]["source"] != str(path):
                missed.append(f"{asked.file}: {asked.fact.question}")
                continue
            right_file[kind] += 1
            right_place[kind] += is_right_place(asked, found, path)
    count = len(corpus.asked)
    return {
        "questions": count,
        "right_file_first": round(right_file.total() / count, 4),
        "right_place_first": round(right_place.total() / count, 4),
        "by_kind": {k: [right_file[k], right_place[k], n] for k, n in sorted(total.items())},
        "missed": missed,
    }


def measured(corpus: Corpus, index: Path, timed: int) -> dict[str, Any]:
    """All figures; the index is made, or brought up to date."""
    run = edgeembed("index", corpus.folder, "-i", index)
    return {
        "files": len(corpus.files),
        "kinds": len({name.partition(".")[2] for name in corpus.files}),
        "passages": run["documents"],
        "left_out": len(run["left_out"]),
        "untold": untold(corpus, index, run),
        **ask(corpus, index),
        "reading": cost_of_reading(corpus, timed),
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2000, help="files to make")
    parser.add_argument("--questions", type=int, default=200, help="facts to ask for")
    parser.add_argument("--timed", type=int, default=140, help="files to time the reading of")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the files and the index here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        corpus = make_corpus(
            folder / "laptop", files=options.files, questions=options.questions, seed=options.seed
        )
        figures = measured(corpus, folder / "laptop.index", options.timed)
    for name in ("files", "kinds", "left_out", "untold", "right_file_first", "right_place_first"):
        print(f"{name:20} {figures[name]}")
    print(f"{'reading':20} {figures['reading']}")
    for kind, (file, place, total) in figures["by_kind"].items():
        print(f"{kind:20} {file:3} {place:3} of {total}")
    print(write_results("laptop", figures))


if __name__ == "__main__":
    main()
