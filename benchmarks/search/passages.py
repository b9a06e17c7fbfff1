"""Sizes of passages: the right place in long notes, by passages of different lengths.

    python benchmarks/search/passages.py scifact

SciFact (corpus.jsonl, queries.jsonl, qrels/test.tsv) as notes: 1,700 abstracts, ten to a file, and
200 claims as questions, of which those abstracts that are right come first. "place" is the share of
claims whose best passage overlaps a right abstract, "file" of those whose best passage is in its
file. Abstracts are under a heading each, or just have a blank line between them. With "title" the
file name and headings are put in front of what is embedded. Search is dense and exact.
"""

import argparse
import csv
import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.common.model_and_texts import bundle
from benchmarks.common.results_file import write_results
from edgeembed import Encoder
from edgeembed.ingest.files import FoundFile
from edgeembed.ingest.passages import ChunkSettings, Passage, PassageReader
from edgeembed.ingest.readers.base.protocol import Block

PER_FILE = 10


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One way to make passages, and what it found."""

    headings: bool
    title: bool
    max_tokens: int
    overlap_tokens: int
    passages: int = 0
    place: float = 0.0
    file: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Notes:
    """Files as texts, and in which of them each abstract is, from where to where."""

    files: list[str]
    places: dict[str, tuple[int, int, int]]


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def claims_of(folder: Path, count: int, seed: int) -> list[tuple[str, set[str]]]:
    """Claims, and the ids of the abstracts that are right for each."""
    texts = {row["_id"]: row["text"] for row in read_lines(folder / "queries.jsonl")}
    right: dict[str, set[str]] = {}
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if int(row["score"]) > 0:
                right.setdefault(row["query-id"], set()).add(row["corpus-id"])
    chosen = random.Random(seed).sample(sorted(right), count)
    return [(texts[key], right[key]) for key in chosen]


def notes_of(folder: Path, first: set[str], count: int, seed: int, *, headings: bool) -> Notes:
    rows = read_lines(folder / "corpus.jsonl")
    others = [row for row in rows if row["_id"] not in first]
    shuffled = random.Random(seed)
    shuffled.shuffle(others)
    chosen = [row for row in rows if row["_id"] in first]
    chosen += others[: count - len(chosen)]
    shuffled.shuffle(chosen)
    files, places = [], {}
    for at in range(0, len(chosen), PER_FILE):
        text = "# Notes\n\n" if headings else ""
        for row in chosen[at : at + PER_FILE]:
            start = len(text)
            mark = "## " if headings else ""
            text += f"{mark}{row['title']}\n\n{row['text']}\n\n"
            places[row["_id"]] = (len(files), start, len(text))
        files.append(text)
    return Notes(files=files, places=places)


def file_of(number: int) -> FoundFile:
    return FoundFile(path=Path(f"notes {number}.md"), name=f"notes {number}.md")


def passages_of(setup: Setup, notes: Notes, encoder: Encoder) -> list[tuple[int, Passage]]:
    chunks = ChunkSettings(max_tokens=setup.max_tokens, overlap_tokens=setup.overlap_tokens)
    reader = PassageReader(encoder=encoder, chunks=chunks)
    return [
        (number, passage)
        for number, text in enumerate(notes.files)
        for passage in reader.cut(
            file_of(number), [Block(text=text, place={"line": 1, "start": 0})]
        )
    ]


def measured(
    setup: Setup, notes: Notes, claims: list[tuple[str, set[str]]], encoder: Encoder
) -> Setup:
    began = time.perf_counter()
    passages = passages_of(setup, notes, encoder)
    embedded = [(f"{p.title}\n" if setup.title else "") + p.text for _, p in passages]
    rows = encoder.encode(embedded)
    seconds = time.perf_counter() - began
    best = (encoder.encode([claim for claim, _ in claims]) @ rows.T).argmax(axis=1)
    place = file = 0
    for (_, right), at in zip(claims, best, strict=True):
        number, passage = passages[at]
        start, end = passage.metadata["start"], passage.metadata["end"]
        found = [notes.places[key] for key in right]
        file += any(number == where for where, _, _ in found)
        place += any(number == where and start < b and end > a for where, a, b in found)
    figures = {"place": place / len(claims), "file": file / len(claims)}
    return Setup(**{**asdict(setup), **figures, "passages": len(passages), "seconds": seconds})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scifact", type=Path, help="the folder of the data set")
    parser.add_argument("--model", type=Path, help="a bundle; default: all-MiniLM-L6-v2, int8")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 128, 192, 256])
    parser.add_argument("--overlaps", type=int, nargs="+", default=[0, 32])
    parser.add_argument("--texts", nargs="+", default=["plain", "headings", "headings+title"])
    parser.add_argument("--abstracts", type=int, default=1700)
    parser.add_argument("--claims", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    claims = claims_of(options.scifact, options.claims, options.seed)
    first = set().union(*(right for _, right in claims))
    results = []
    with Encoder.load(options.model or bundle(), variant="int8", threads=options.threads) as model:
        for size in options.sizes:
            for text in options.texts:
                headings = text != "plain"
                notes = notes_of(
                    options.scifact, first, options.abstracts, options.seed, headings=headings
                )
                for overlap in options.overlaps:
                    setup = Setup(
                        headings=headings,
                        title=text == "headings+title",
                        max_tokens=size,
                        overlap_tokens=min(overlap, size // 4),
                    )
                    found = measured(setup, notes, claims, model)
                    results.append(asdict(found))
                    print(
                        f"{size:4} tokens, overlap {found.overlap_tokens:2}, {text:14}: "
                        f"{found.passages:5} passages, place {100 * found.place:5.1f} %, "
                        f"file {100 * found.file:5.1f} %, {found.seconds:5.0f} s",
                        flush=True,
                    )
    figures = {"abstracts": options.abstracts, "claims": options.claims, "setups": results}
    print("written:", write_results("passages", figures).name)


if __name__ == "__main__":
    main()
