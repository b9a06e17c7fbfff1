"""What every ranking of documents is made of: its rows and scores, and the rows it may hold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.documents import VISIBLE, docids_of
from edgeembed_runtime.index.search.query import SearchOptions

Ranking = list[tuple[int, float]]
"""(document row, score), best first, ties by row."""
_NO_ROWS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which document rows a search may find."""

    allowed: NDArray[np.int64] | None
    """Rows that meet the filter, ascending; None for all. Keyword search filters in SQL instead."""
    excluded: NDArray[np.int64]
    """Rows that may not be found, ascending."""


def read_scope(catalog: Catalog, generation: int, options: SearchOptions) -> Scope:
    """Find the rows that a filter allows and the keys exclude, at one generation."""
    condition = options.condition if options.mode != "keyword" else None
    if condition is None and not options.exclude:
        return Scope(allowed=None, excluded=_NO_ROWS)
    with catalog.reading(generation) as connection:
        allowed = None
        if condition is not None:
            rows = connection.execute(
                f"SELECT docid FROM doc WHERE {VISIBLE} AND {condition.sql} ORDER BY docid",
                (generation, generation, *condition.values),
            )
            allowed = np.fromiter((docid for (docid,) in rows), dtype=np.int64)
        excluded = docids_of(connection, options.exclude, generation).values()
        return Scope(allowed=allowed, excluded=np.array(sorted(excluded), dtype=np.int64))
