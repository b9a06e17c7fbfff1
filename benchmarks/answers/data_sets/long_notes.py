"""Long notes: abstracts of SciFact, ten to a file, so that the right place has to be found."""

import random
from dataclasses import replace

from benchmarks.answers.data_sets.data_set import DataSet, file_of

CLAIMS, ABSTRACTS, PER_FILE = 200, 1700, 10


def long_notes(
    source: DataSet,
    *,
    headings: bool,
    claims: int = CLAIMS,
    abstracts: int = ABSTRACTS,
    seed: int = 1,
) -> DataSet:
    """Files of ten abstracts: all that answer some claims of `source`, and seeded others.

    Both forms, with headings and without, hold the same abstracts in the same order.
    """
    draw = random.Random(seed)
    queries = draw.sample(sorted(source.queries), min(claims, len(source.queries)))
    needed = {key for query in queries for key in source.gains[query]}
    others = [document.key for document in source.documents if document.key not in needed]
    kept = needed | set(draw.sample(others, min(len(others), max(0, abstracts - len(needed)))))
    chosen = [document for document in source.documents if document.key in kept]
    draw.shuffle(chosen)
    suffix = "md" if headings else "txt"
    files = tuple(
        file_of(
            f"notes-{start // PER_FILE + 1:03}.{suffix}",
            ((d.key, d.title, d.text) for d in chosen[start : start + PER_FILE]),
            headings=headings,
        )
        for start in range(0, len(chosen), PER_FILE)
    )
    return replace(
        source,
        name="long notes, headings" if headings else "long notes, plain",
        kind="files",
        documents=files,
        queries={query: source.queries[query] for query in queries},
        gains={query: source.gains[query] for query in queries},
    )
