"""The answers that people get by default, beside bm25s, a Chroma-like stack, model2vec, WordLlama.

    python benchmarks/answers/compare_peers.py DATA --bundle minilm=minilm.bundle --work FOLDER

DATA holds retrieval/scifact (in BEIR's form), retrieval/cranfield and code/cosqa; what is absent is
left out. Long notes are made of SciFact, and three sets are made from nothing: the documentation of
this machine's Python, a folder as on a laptop, and passages in three languages, which only the
encoders named by --multilingual answer. edgeembed runs by its defaults and in each of its modes.
Vectors are kept in the folder --work, so that a second run is fast; queries are always encoded
anew. See docs/notes/answers.md.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.answers.data_sets.bilingual import bilingual
from benchmarks.answers.data_sets.data_set import DataSet
from benchmarks.answers.data_sets.documentation import documentation
from benchmarks.answers.data_sets.judged import cosqa, cranfield, scifact
from benchmarks.answers.data_sets.laptop import laptop
from benchmarks.answers.data_sets.long_notes import long_notes
from benchmarks.answers.measure import indexing_speed, measure
from benchmarks.answers.report import figures_of, speed_table, summary, table_of
from benchmarks.answers.systems.edgeembed_index import MODES, EdgeEmbed, Setup, SharedIndex
from benchmarks.answers.systems.peers import PEERS, open_peer, peer_versions
from benchmarks.answers.systems.system import System
from benchmarks.common.results_file import RESULTS, write_results
from edgeembed.ingest.second_stage import FIRST_STAGE

# By name: the folder that it needs, and how it is made.
DATA_SETS: dict[str, tuple[str, Callable[[Path], DataSet]]] = {
    "scifact": ("retrieval/scifact", scifact),
    "cranfield": ("retrieval/cranfield", cranfield),
    "notes-headings": ("retrieval/scifact", lambda p: long_notes(scifact(p), headings=True)),
    "notes-plain": ("retrieval/scifact", lambda p: long_notes(scifact(p), headings=False)),
    "cosqa": ("code/cosqa", cosqa),
    "documentation": (".", lambda _: documentation()),
    "laptop": (".", lambda _: laptop()),
    "bilingual": (".", lambda _: bilingual()),
}


def data_sets(folder: Path, names: list[str]) -> Iterator[DataSet]:
    for name in names:
        place, make = DATA_SETS[name]
        if (folder / place).is_dir():
            yield make(folder / place)
        else:
            print(f"{name} is left out: there is no {folder / place}", flush=True)


def setups(options: argparse.Namespace) -> Iterator[Setup]:
    """The default encoder, then every bundle, each also with every other size of passages."""
    bundles: dict[str, str | None] = {"edgeembed": None}
    for pair in options.bundle:
        name, _, bundle = pair.partition("=")
        bundles[name] = bundle
    for name, bundle in bundles.items():
        for size in (None, *options.chunk_tokens):
            yield Setup(
                name=name if size is None else f"{name} {size} tokens",
                bundle=bundle,
                max_tokens=size,
                multilingual=name in options.multilingual,
            )


def systems(options: argparse.Namespace) -> Iterator[System]:
    fast = Setup(name="edgeembed --fast", bundle=FIRST_STAGE, second_stage="default")
    yield EdgeEmbed(SharedIndex(fast, options.work), None)
    for setup in setups(options):
        shared = SharedIndex(setup, options.work)
        for mode in (None, *options.modes):
            yield EdgeEmbed(shared, mode)
    for name in options.peers:
        if (peer := open_peer(name, options.work)) is not None:
            yield peer


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="the folder of judged collections")
    parser.add_argument("--work", type=Path, required=True, help="a folder to keep vectors in")
    parser.add_argument("--bundle", action="append", default=[], metavar="NAME=BUNDLE")
    parser.add_argument("--multilingual", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--chunk-tokens", nargs="*", type=int, default=[], metavar="N")
    parser.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES))
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--sets", nargs="+", choices=list(DATA_SETS), default=list(DATA_SETS))
    parser.add_argument("--sample", type=int, default=100, help="documents to time indexing with")
    parser.add_argument("--keep", action="store_true", help="keep the results of other sets")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    tree: dict[str, dict[str, Any]] = {"sets": {}, "seconds per 1,000 passages": {}}
    if options.keep:
        earlier = json.loads((RESULTS / "answers.json").read_text(encoding="utf-8"))
        tree = {part: earlier[part] for part in tree}
    sides = list(systems(options))
    for number, data in enumerate(data_sets(options.data, options.sets)):
        if found := measure(data, sides, lambda step: print(step, flush=True)):
            print(f"\n{table_of(data, found)}\n", flush=True)
            tree["sets"][data.name] = figures_of(data, found)
        if number == 0:
            speeds = indexing_speed(data, sides, options.sample, options.rounds)
            tree["seconds per 1,000 passages"].update(speeds)
        path = write_results("answers", tree, peer_versions())
        print("written:", path.name, flush=True)
    for side in sides:
        side.close()
    print(f"\n{summary(tree['sets'])}\n\n{speed_table(tree['seconds per 1,000 passages'])}")


if __name__ == "__main__":
    main()
