"""Indexes a laptop's folder by default settings and asks for what stands in it.

    python benchmarks/laptop/measure.py

2,000 files of 28 kinds, made by the libraries that people make such files with; 200 of 500 facts
are asked for in other words. Told are the questions whose right file comes first, and whose right
passage does, with its page, slide, sheet or characters; and what reading files adds to encoding the
same passages alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common.results_file import write_results
from benchmarks.laptop.corpus import Asked, Corpus, make_corpus
from edgeembed import Encoder, Index
from edgeembed_runtime.index.base.encoding import titled

BATCH = 256


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


def seconds_to_encode(index: Path) -> float:
    """How long the model takes for the passages alone, without files and without an index."""
    with Index.open(index) as opened, Encoder.load() as encoder:
        texts = [
            titled(document.title, document.document)
            for batch in opened.batches(BATCH)
            for document in batch.documents
            if document.document
        ]
        began = time.monotonic()
        for start in range(0, len(texts), BATCH):
            encoder.encode_document(texts[start : start + BATCH])
        return time.monotonic() - began


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


def ask(corpus: Corpus, index: Path) -> dict[str, Any]:
    """How many questions find their file and their place, over all and by kind of file."""
    right_file, right_place, total = Counter[str](), Counter[str](), Counter[str]()
    missed: list[str] = []
    for asked in corpus.asked:
        kind = asked.file.partition(".")[2]
        total[kind] += 1
        found = edgeembed("search", asked.fact.question, "-i", index, "-k", 1)
        hits = found["hits"] if isinstance(found, dict) else found
        source = hits[0]["metadata"].get("source", "") if hits else ""
        if not str(source).startswith(str(corpus.folder / asked.file)):
            missed.append(f"{asked.file}: {asked.fact.question}")
            continue
        right_file[kind] += 1
        right_place[kind] += is_right_place(asked, hits[0], corpus.folder / asked.file)
    count = len(corpus.asked)
    return {
        "questions": count,
        "right_file_first": round(right_file.total() / count, 4),
        "right_place_first": round(right_place.total() / count, 4),
        "by_kind": {k: [right_file[k], right_place[k], n] for k, n in sorted(total.items())},
        "missed": missed,
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2000, help="files to make")
    parser.add_argument("--questions", type=int, default=200, help="facts to ask for")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the files and the index here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        corpus = make_corpus(
            folder / "laptop", files=options.files, questions=options.questions, seed=options.seed
        )
        index = folder / "laptop.index"
        began = time.monotonic()
        run = edgeembed("index", corpus.folder, "-i", index)
        seconds = time.monotonic() - began
        alone = seconds_to_encode(index)
        answers = ask(corpus, index)
    figures = {
        "files": len(corpus.files),
        "indexing": {name: run[name] for name in run if not isinstance(run[name], list)},
        "indexing_seconds": round(seconds, 1),
        "encoding_seconds": round(alone, 1),
        "ratio": round(seconds / alone, 3),
        **answers,
    }
    shown = ("files", "indexing_seconds", "encoding_seconds", "ratio")
    for name in (*shown, "right_file_first", "right_place_first"):
        print(f"{name:20} {figures[name]}")
    for kind, (file, place, total) in answers["by_kind"].items():
        print(f"{kind:20} {file:3} {place:3} of {total}")
    print(write_results("laptop", figures))


if __name__ == "__main__":
    main()
