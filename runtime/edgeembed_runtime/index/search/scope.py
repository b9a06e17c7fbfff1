"""Which document rows a search may find."""

import sqlite3
from dataclasses import dataclass, replace

import numpy as np
import numpy.ma  # pyright: ignore[reportUnusedImport] (np.union1d needs it, perhaps without files)
from numpy.typing import NDArray

from edgeembed_runtime.index.catalog.documents import VISIBLE, docids_of
from edgeembed_runtime.index.catalog.filter_sql import Condition
from edgeembed_runtime.index.search.query import SearchOptions
from edgeembed_runtime.index.segments.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which document rows a search may find."""

    allowed: NDArray[np.int64] | None
    """Rows that meet the filter, ascending; None for all. Keyword search filters in SQL instead."""
    excluded: NDArray[np.int64]
    """Rows that may not be found, ascending."""

    def narrowed(self, allowed: NDArray[np.int64] | None, excluded: NDArray[np.int64]) -> "Scope":
        """The rows of this scope that are also allowed, and not excluded too."""
        both = self.allowed if allowed is None else allowed
        if self.allowed is not None and allowed is not None:
            both = np.intersect1d(self.allowed, allowed, assume_unique=True)
        return replace(self, allowed=both, excluded=np.union1d(self.excluded, excluded))


def read_scope(
    connection: sqlite3.Connection, snapshot: Snapshot, options: SearchOptions, *, by_vector: bool
) -> Scope:
    """Find the rows that a filter allows and the keys exclude, at one generation."""
    generation, condition = snapshot.generation, options.condition
    allowed = None
    if condition is not None and by_vector:
        allowed = snapshot.filtered.of(
            condition, lambda: _rows_that_meet(connection, condition, generation)
        )
    excluded = docids_of(connection, options.exclude, generation).values()
    return Scope(allowed=allowed, excluded=np.array(sorted(excluded), dtype=np.int64))


def _rows_that_meet(
    connection: sqlite3.Connection, condition: Condition, generation: int
) -> NDArray[np.int64]:
    rows = connection.execute(
        f"SELECT docid FROM doc WHERE {VISIBLE} AND {condition.sql} ORDER BY docid",
        (generation, generation, *condition.values),
    )
    return np.fromiter((docid for (docid,) in rows), dtype=np.int64)
