"""Numbered batches, each the same in every process, and what an index holds after them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from edgeembed import Index, IndexSettings
from edgeembed_runtime.index.base.unit_vectors import unit_rows
from faults.harness.contents import Document, State

DIM = 8
ROWS = 8
# Small enough that a few batches seal, merge and purge.
SETTINGS = IndexSettings(seal_rows=20, backend="exact")


def _vectors(number: int):
    return np.random.default_rng(number).normal(size=(ROWS, DIM))


def rows_of(number: int) -> State:
    """The documents of one batch: seven of its own and one that every batch replaces."""
    vectors = unit_rows(_vectors(number), dim=DIM, what="vectors")
    keys = [*(f"{number}:{i}" for i in range(ROWS - 1)), "shared"]
    return {
        key: Document(f"batch {number} {key}", {"batch": number}, vector.tobytes())
        for key, vector in zip(keys, vectors, strict=True)
    }


def write(index: Index, number: int) -> None:
    """Upsert one batch."""
    rows = rows_of(number)
    index.upsert(
        list(rows),
        documents=[row.text or "" for row in rows.values()],
        vectors=_vectors(number),
        metadatas=[row.metadata for row in rows.values()],
    )


def written(state: State, number: int) -> State:
    """A state after write(number)."""
    rows = rows_of(number)
    return {**{key: row for key, row in state.items() if key not in rows}, **rows}


def deleted_keys(number: int) -> list[str]:
    """Most keys of a batch: after a few such deletions a purge is due."""
    return [f"{number}:{i}" for i in range(ROWS - 2)]


def without(state: State, keys: Iterable[str]) -> State:
    """A state after delete(keys)."""
    gone = set(keys)
    return {key: row for key, row in state.items() if key not in gone}


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something done to an open index, and what the index then holds."""

    name: str
    run: Callable[[Index], object]
    change: Callable[[State], State]


def upsert_step(number: int) -> Step:
    return Step(
        name=f"upsert {number}",
        run=lambda index: write(index, number),
        change=lambda state: written(state, number),
    )


def delete_step(number: int) -> Step:
    keys = deleted_keys(number)
    return Step(
        name=f"delete {number}",
        run=lambda index: index.delete(keys),
        change=lambda state: without(state, keys),
    )


def compact_step() -> Step:
    return Step(name="compact", run=Index.compact, change=lambda state: state)


def steps(count: int) -> list[Step]:
    """The life of an index: batches, deletions after every third, and a compaction now and then."""
    found: list[Step] = []
    for number in range(count):
        found.append(upsert_step(number))
        if number % 3 == 2:
            found.append(delete_step(number - 1))
        if number % 8 == 7:
            found.append(compact_step())
    return found
