"""Which rows the latest filters let through, so that the same filter is worked out once.

A filter is asked of the metadata of every document, which takes longer than a search. Programs ask
the same few again and again: a language, a user, a folder.
"""

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.catalog.filter_sql import Condition

# 64 MB at most among a million documents.
_KEPT = 8


class FilteredRows:
    """Row ids by filter, for one generation. Many threads may ask at once."""

    def __init__(self) -> None:
        """Start without any."""
        self._rows: dict[Condition, NDArray[np.int64]] = {}
        self._lock = threading.Lock()

    def of(self, condition: Condition, read: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
        """The rows that meet a condition, ascending; of those not asked for lately, by `read`."""
        with self._lock:
            rows = self._rows.pop(condition, None)
        if rows is None:
            rows = read()
            rows.flags.writeable = False
        with self._lock:
            self._rows[condition] = rows  # the last, which is the latest
            while len(self._rows) > _KEPT:
                del self._rows[next(iter(self._rows))]
        return rows
