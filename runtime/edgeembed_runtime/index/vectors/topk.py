"""Exact top k: fast products select candidates, and one fixed sum scores them.

A BLAS product rounds differently with another block size, thread count or neighbor, so equal
vectors could get unequal scores; SQ8 products are rounded even more. Therefore every row whose
product may be among the best is scored again in float64, row by row, and rounded to float32. The
score depends on the row and the query only, search equals search_many, and ties are real (the
smaller row id first).
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.vectors.block import Rows

# 16384 rows x 384 floats = 25 MB: large enough for BLAS, small enough to bound memory.
_SCAN_ROWS = 16_384
_GATHER_ROWS = 4096
# Copying chosen rows costs about this many times more than scanning them in place.
_GATHER_COST = 4
# ... and still more than scanning their SQ8 codes.
_SQ8_GATHER_COST = 64
_QUERIES = 64
# SQ8 products in memory at a time: 64 MB.
_SQ8_PRODUCTS = 1 << 24
_MIN_CHUNKS = 1024
_UNIT_ROUNDOFF = 2.0**-24  # of float32


class TopK:
    """The k best (score, row id) pairs of all that are offered."""

    def __init__(self, k: int) -> None:
        """Start empty."""
        self.k = k
        self._scores: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._ids: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    @property
    def threshold(self) -> float:
        """The score that a new pair must reach; minus infinity while there are fewer than k."""
        return float(self._scores[-1]) if self._scores.size == self.k else -np.inf

    def offer(self, scores: NDArray[np.float32], ids: NDArray[np.int64]) -> None:
        """Keep what is good enough of (n,) scores and their row ids."""
        scores = np.concatenate([self._scores, scores])
        ids = np.concatenate([self._ids, ids])
        best = np.lexsort((ids, -scores))[: self.k]
        self._scores, self._ids = scores[best], ids[best]

    def pairs(self) -> list[tuple[int, float]]:
        """(row id, score), best first."""
        return list(zip(self._ids.tolist(), self._scores.tolist(), strict=True))


def cosines(rows: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) cosines of (n, d) unit rows with one (d,) unit query, in [-1, 1].

    Each depends on its row and the query only, not on the other rows.
    """
    precise = query.astype(np.float64)
    parts = [
        (rows[start : start + _GATHER_ROWS].astype(np.float64) * precise).sum(axis=1)
        for start in range(0, len(rows), _GATHER_ROWS)
    ]
    scores = np.concatenate(parts) if parts else np.empty(0)
    return np.clip(scores, -1.0, 1.0).astype(np.float32)


def scan(
    rows: Rows, wanted: NDArray[np.bool_], queries: NDArray[np.float32], tops: Sequence[TopK]
) -> None:
    """Offer the best of the wanted rows to each query's TopK.

    Args:
        rows: the block to scan.
        wanted: (n,) rows that may be found.
        queries: (m, d) unit vectors.
        tops: m accumulators.
    """
    count = int(np.count_nonzero(wanted))
    if not count:
        return
    if rows.sq8 is None or is_gathered(count, wanted.size):
        _scan_vectors(rows, wanted, queries, tops)
        return
    step = max(1, min(_QUERIES, _SQ8_PRODUCTS // wanted.size))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        if not _scan_sq8(rows, wanted, queries[part], tops[part]):
            _scan_vectors(rows, wanted, queries[part], tops[part])


def is_gathered(count: int, n: int) -> bool:
    """Whether a scan for `count` of n rows copies these, and leaves the codes of all alone."""
    return count * _SQ8_GATHER_COST < n


def _scan_sq8(
    rows: Rows, wanted: NDArray[np.bool_], queries: NDArray[np.float32], tops: Sequence[TopK]
) -> bool:
    found = None if rows.sq8 is None else rows.sq8.approximate(queries)
    if found is None:
        return False
    unwanted = None if wanted.all() else ~wanted
    for query, top, products, scale, error in zip(
        queries, tops, found.products, found.scales.tolist(), found.errors.tolist(), strict=True
    ):
        if unwanted is not None:
            products[unwanted] = -np.inf
        floor = (top.threshold - error) / scale
        best = _contenders(products, top.k, floor, 2 * error / scale)
        _offer(rows.take, rows.ids, best, query, top)
    return True


def _scan_vectors(
    rows: Rows, wanted: NDArray[np.bool_], queries: NDArray[np.float32], tops: Sequence[TopK]
) -> None:
    # The rounding error of a float32 dot product of unit vectors is at most d units, either way.
    margin = (2 * queries.shape[1] + 8) * _UNIT_ROUNDOFF
    for positions, vectors, keep in _blocks(rows, wanted):
        ids = rows.ids[positions]
        for start in range(0, len(queries), _QUERIES):
            products = queries[start : start + _QUERIES] @ vectors.T
            for offset, scores in enumerate(products):
                if keep is not None:
                    scores[~keep] = -np.inf
                top = tops[start + offset]
                best = _contenders(scores, top.k, top.threshold - margin, margin)
                _offer(vectors.__getitem__, ids, best, queries[start + offset], top)


def _offer(
    take: Callable[[NDArray[np.intp]], NDArray[np.float32]],
    ids: NDArray[np.int64],
    positions: NDArray[np.intp],
    query: NDArray[np.float32],
    top: TopK,
) -> None:
    for start in range(0, positions.size, _GATHER_ROWS):
        chosen = positions[start : start + _GATHER_ROWS]
        top.offer(cosines(take(chosen), query), ids[chosen])


def _blocks(
    rows: Rows, wanted: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_] | None]]:
    count = int(np.count_nonzero(wanted))
    if count * _GATHER_COST < wanted.size:
        chosen = np.flatnonzero(wanted)
        for start in range(0, count, _GATHER_ROWS):
            positions = chosen[start : start + _GATHER_ROWS]
            yield positions, rows.take(positions), None
        return
    for start in range(0, wanted.size, _SCAN_ROWS):
        keep = wanted[start : start + _SCAN_ROWS]
        positions = np.arange(start, start + keep.size)
        vectors = np.asarray(rows.vectors[start : start + _SCAN_ROWS])
        yield positions, vectors, None if keep.all() else keep


def _contenders(
    scores: NDArray[np.float32], k: int, floor: float, margin: float
) -> NDArray[np.intp]:
    """Positions of scores of at least `floor`, and at most `margin` below the k-th best."""
    floor = max(floor, _kth_at_least(scores, k) - margin)
    chosen = np.flatnonzero(scores >= floor if np.isfinite(floor) else scores > -np.inf)
    if chosen.size > k:
        kth = np.partition(scores[chosen], -k)[-k]
        chosen = chosen[scores[chosen] >= kth - margin]
    return chosen


def _kth_at_least(scores: NDArray[np.float32], k: int) -> float:
    """A lower bound of the k-th best score: the k-th best of the maxima of chunks."""
    width = scores.size // max(_MIN_CHUNKS, 8 * k)
    if width < 2:
        return -np.inf
    chunks = scores.size // width
    maxima = scores[: chunks * width].reshape(chunks, width).max(axis=1)
    return float(np.partition(maxima, -k)[-k])
