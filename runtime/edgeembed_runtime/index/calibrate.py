"""How good and how fast a segment's trees are: measured when it is sealed."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.annoy_file import AnnoyFile
from edgeembed_runtime.index.dense import MEASURED_ASK
from edgeembed_runtime.index.segment import Rows
from edgeembed_runtime.index.settings import IndexSettings
from edgeembed_runtime.index.topk import TopK, cosines, scan

_QUERIES = 50
_NEIGHBOURS = 10


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Recall@10 and median milliseconds of one query, at the search_k that was chosen."""

    search_k: int
    recall: float
    exact_ms: float
    annoy_ms: float
    use_annoy: bool


def measure(rows: Rows, annoy: AnnoyFile, settings: IndexSettings, seed: int) -> Measured:
    """Search for sampled rows both ways and choose the smallest search_k that is good enough.

    search_k doubles until the recall floor is reached, or Annoy is no longer the faster way, or it
    looks at every row.
    """
    sample = np.random.default_rng(seed).choice(
        rows.ids.size, size=min(_QUERIES, rows.ids.size), replace=False
    )
    truth: list[set[int]] = []
    times: list[float] = []
    for position in sample.tolist():
        started = time.perf_counter()
        neighbours = _exact(rows, position)
        times.append(time.perf_counter() - started)
        truth.append(neighbours)
    exact_ms = statistics.median(times) * 1e3
    search_k = settings.annoy_trees * _NEIGHBOURS
    while True:
        recall, annoy_ms = _measure_annoy(rows, annoy, sample, truth, search_k)
        good, fast = recall >= settings.recall_floor, annoy_ms < exact_ms
        hopeless = settings.backend == "auto" and not fast
        if good or hopeless or search_k >= rows.ids.size * settings.annoy_trees:
            return Measured(
                search_k=search_k,
                recall=recall,
                exact_ms=exact_ms,
                annoy_ms=annoy_ms,
                use_annoy=good and (fast or settings.backend == "annoy"),
            )
        search_k *= 2


def _exact(rows: Rows, position: int) -> set[int]:
    top = TopK(_NEIGHBOURS + 1)
    scan(rows, rows.alive, np.asarray(rows.vectors[position : position + 1]), [top])
    return _others(top, int(rows.ids[position]))


def _others(top: TopK, own: int) -> set[int]:
    return set([docid for docid, _ in top.pairs() if docid != own][:_NEIGHBOURS])


def _measure_annoy(
    rows: Rows,
    annoy: AnnoyFile,
    sample: NDArray[np.int64],
    truth: list[set[int]],
    search_k: int,
) -> tuple[float, float]:
    times: list[float] = []
    found = wanted = 0
    for position, neighbours in zip(sample.tolist(), truth, strict=True):
        query = np.asarray(rows.vectors[position])
        started = time.perf_counter()
        near = annoy.query(query.tolist(), MEASURED_ASK, search_k)
        top = TopK(_NEIGHBOURS + 1)
        top.offer(cosines(rows.vectors[near], query), rows.ids[near])
        times.append(time.perf_counter() - started)
        found += len(_others(top, int(rows.ids[position])) & neighbours)
        wanted += len(neighbours)
    return found / max(1, wanted), statistics.median(times) * 1e3
