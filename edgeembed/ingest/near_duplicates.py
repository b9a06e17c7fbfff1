"""Near-duplicate detection: groups of vectors that are close to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.vectors import normalize

_Rows = slice | NDArray[np.intp]
# Rows compared at a time with all others: a block takes some tens of MB.
_ROWS = 512


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """A group of near-duplicates: row numbers, and the cosine of each row to the first."""

    members: tuple[int, ...]
    cosines: tuple[float, ...]


def near_duplicates(
    vectors: NDArray[np.float32], threshold: float, on_black: NDArray[np.float32] | None = None
) -> list[DuplicateGroup]:
    """Group the rows of (n, d) vectors whose cosines reach the threshold, directly or transitively.

    All pairs are compared exactly; a group is a connected component of the graph of close pairs. It
    starts with its earliest row; the others follow by descending cosine to that row.

    Args:
        vectors: one for each thing; for images, as seen on white.
        threshold: what the cosine of a close pair reaches.
        on_black: (n, d) vectors of the same images as seen on black, which must be close, too: the
            cosine of a pair is the lower of both.
    """
    views = [normalize(view) for view in (vectors, on_black) if view is not None]
    parents = np.arange(len(vectors))
    for start in range(0, len(vectors), _ROWS):
        close = _cosines(views, slice(start, start + _ROWS), slice(start, None)) >= threshold
        for row in np.flatnonzero(np.count_nonzero(close, axis=1) > 1):
            _join(parents, start + np.flatnonzero(close[row]))
    roots = _roots(parents, parents)
    order = np.argsort(roots, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(roots[order])) + 1)
    return [_group(views, rows) for rows in groups if len(rows) > 1]


def _cosines(
    views: Sequence[NDArray[np.float32]], rows: _Rows, others: _Rows
) -> NDArray[np.float32]:
    cosines = views[0][rows] @ views[0][others].T
    for view in views[1:]:
        np.minimum(cosines, view[rows] @ view[others].T, out=cosines)
    return cosines


def _group(views: Sequence[NDArray[np.float32]], rows: NDArray[np.intp]) -> DuplicateGroup:
    cosines = _cosines(views, rows, rows[:1])[:, 0]
    order = np.concatenate([[0], 1 + np.argsort(-cosines[1:], kind="stable")])
    return DuplicateGroup(
        members=tuple(rows[order].tolist()), cosines=tuple(cosines[order].astype(float).tolist())
    )


def _join(parents: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
    """Make one tree of those that rows are in; its root is the earliest row."""
    roots = _roots(parents, rows)
    first = roots.min()
    parents[roots] = first
    parents[rows] = first


def _roots(parents: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    above = parents[rows]
    while not np.array_equal(above, rows):
        rows, above = above, parents[above]
    return rows
