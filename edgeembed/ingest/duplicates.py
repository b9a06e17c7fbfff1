"""Images that show the same: by their bytes, and by their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.vectors import normalize

# Cosines are taken of so many rows at a time with all others: a block is some tens of MB.
_ROWS = 512


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """Images alike: their places in the list, and each one's cosine to the first of them."""

    members: tuple[int, ...]
    cosines: tuple[float, ...]


def near_duplicates(vectors: NDArray[np.float32], threshold: float) -> list[DuplicateGroup]:
    """Groups of rows of (n, d) whose cosines reach the threshold, directly or by way of others.

    All pairs are compared, exactly; a group is a connected part of the graph of such pairs. In a
    group the first is the earliest row, the others follow by their cosine to it.
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
