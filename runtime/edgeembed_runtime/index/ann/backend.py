"""Approximate nearest neighbors on disk: what every kind of such a file can do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.vectors.block import Rows

AnnName = Literal["annoy", "usearch"]


@dataclass(frozen=True, kw_only=True)
class AnnShape:
    """The numbers that a file was built with, and is checked against."""

    n: int
    dim: int
    trees: int
    """Of a forest; 0 for a graph."""


class LoadedAnn(Protocol):
    """A validated, loaded file. Queries from many threads are fine."""

    def query(self, vector: NDArray[np.float32], count: int, effort: int) -> NDArray[np.int64]:
        """Up to `count` positions near a (dim,) vector; more `effort` finds more true ones."""
        ...

    def close(self) -> None:
        """Unmap the file, so that Windows can remove it; nobody may query afterwards."""
        ...


class AnnBackend(Protocol):
    """A library that builds and searches such files, where it is installed."""

    name: AnnName
    role: str
    """Of its file in a segment, and that file's suffix."""
    first_effort: int
    """Where measuring begins."""

    def fits(self, shape: AnnShape) -> bool:
        """Whether the library can hold this many rows, and is worth asking for so few."""
        ...

    def build(self, path: Path, rows: Rows, shape: AnnShape) -> bool:
        """Write a new file durably; False, and no file, where the library is not usable here.

        Raises:
            StorageError: the file could not be written.
            MemoryError: there is not enough.
        """
        ...

    def find_problem(self, path: Path, shape: AnnShape) -> str | None:
        """Say why the library must not load a file; None if every query of it is safe and ends."""
        ...

    def load(self, path: Path, size: int, shape: AnnShape) -> LoadedAnn | None:
        """Validate a file of `size` bytes and load it; None where the library is not usable here.

        Raises:
            IndexCorruptError: it is not a sound file of this shape.
            OSError: it cannot be read.
        """
        ...
