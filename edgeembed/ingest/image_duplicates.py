"""Near-duplicate detection: groups of vectors that are close to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.vectors import normalize

# Rows compared at a time with all others: a block takes some tens of MB.
_ROWS = 512


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """A group of near-duplicates: row numbers, and the cosine of each row to the first."""

    members: tuple[int, ...]
    cosines: tuple[float, ...]


def near_duplicates(vectors: NDArray[np.float32], threshold: float) -> list[DuplicateGroup]:
    """Group the rows of (n, d) vectors whose cosines reach the threshold, directly or transitively.

    All pairs are compared exactly; a group is a connected component of the graph of close pairs. It
    starts with its earliest row; the others follow by descending cosine to that row.
    """
    unit = normalize(vectors)
    parents = list(range(len(unit)))
    for start in range(0, len(unit), _ROWS):
        cosines = unit[start : start + _ROWS] @ unit[start:].T
        for row, column in zip(*np.nonzero(cosines >= threshold), strict=True):
            if column > row:
                _join(parents, start + int(row), start + int(column))
    groups: dict[int, list[int]] = {}
    for row in range(len(unit)):
        groups.setdefault(_root(parents, row), []).append(row)
    return [_group(unit, rows) for rows in groups.values() if len(rows) > 1]


def _group(unit: NDArray[np.float32], rows: Sequence[int]) -> DuplicateGroup:
    cosines = unit[list(rows)] @ unit[rows[0]]
    order = [0, *(1 + np.argsort(-cosines[1:], kind="stable")).tolist()]
    return DuplicateGroup(
        members=tuple(rows[i] for i in order), cosines=tuple(float(cosines[i]) for i in order)
    )


def _root(parents: list[int], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


def _join(parents: list[int], a: int, b: int) -> None:
    first, second = sorted((_root(parents, a), _root(parents, b)))
    parents[second] = first
