"""A block of vectors that are searched together: a segment, or the tail."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.vectors.mmap import MappedFile
from edgeembed_runtime.index.vectors.sq8_scan import Sq8Scan


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The vectors of a segment or of the tail."""

    ids: NDArray[np.int64]
    """(n,) document rows, strictly ascending."""
    vectors: NDArray[np.float32]
    """(n, d), unit length; for a segment a memory map."""
    alive: NDArray[np.bool_]
    """(n,) whether the document exists at this generation."""
    sq8: Sq8Scan | None = None
    """Scans all rows faster; None if there are few."""
    mapped: MappedFile | None = None
    """The file that `vectors` maps; None if they are in memory."""

    @property
    def dead(self) -> int:
        """How many rows are not alive."""
        return int(self.alive.size - np.count_nonzero(self.alive))

    def take(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Copy the vectors at some positions: (len(positions), d).

        Raises:
            IndexCorruptError, StorageError: see `MappedFile.take`.
        """
        if self.mapped is None:
            return self.vectors[positions]
        return self.mapped.take(self.vectors, positions)

    def positions_of(self, docids: NDArray[np.int64]) -> NDArray[np.intp]:
        """The positions of those docids that are in this block."""
        if not self.ids.size or not docids.size:
            return np.empty(0, dtype=np.intp)
        first, last = int(self.ids[0]), int(self.ids[-1])
        if last - first == self.ids.size - 1:  # no gap, as where nothing was written again
            at = docids - first
            return at[(at >= 0) & (at < self.ids.size)].astype(np.intp, copy=False)
        at = np.searchsorted(self.ids, docids)
        at = np.minimum(at, self.ids.size - 1)
        return at[self.ids[at] == docids]
