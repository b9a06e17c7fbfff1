"""The Annoy backend: builds tree files, validates them before every load, and queries them.

Annoy checks nothing: a damaged file kills the process, or a query never returns. The layout is that
of annoylib.h (angular metric, 1.17.3): an array of nodes of 3 + d 32-bit words each,
`n_descendants, child0, child1, vector[d]`; items 0..n-1, then tree nodes, then a copy of each
root. A leaf overlays children and vector with up to d + 2 item ids.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.ann.annoy_check import annoy_module
from edgeembed_runtime.index.ann.backend import AnnShape, RowSource
from edgeembed_runtime.index.base.layout import require_regular
from edgeembed_runtime.index.catalog.catalog import MAX_DIM
from edgeembed_runtime.index.vectors.mmap import mapped_array

_HEADER_WORDS = 3
_WORD_BYTES = 4
_ADD_ROWS = 4096
# n * trees and node ids are 32-bit in Annoy; 2**24 rows x 64 trees stay below 2**31.
_MAX_ROWS = 1 << 24
_MAX_NODES = 1 << 30
_SEED = 20_111_007


def _require_annoy() -> ModuleType:
    module = annoy_module()
    if module is None:
        raise ImportError("annoy is not installed, or does not work on this CPU")
    return module


def leaf_capacity(dim: int) -> int:
    """How many item ids fit into a leaf: its children and vector words."""
    return dim + 2


class Annoy:
    """Forests of random projection trees: https://github.com/spotify/annoy."""

    name = "annoy"
    suffix = "ann"
    # Trees of a forest: 12 bytes a row each. 64 trees x 2**24 rows stay below the 2**31 node ids
    # of a file.
    build_parameters = range(1, 65)
    default_build_parameter = 20
    first_effort = 200

    def is_available(self) -> bool:
        """Whether Annoy is installed and works on this CPU; see annoy_check."""
        return annoy_module() is not None

    def fits(self, shape: AnnShape) -> bool:
        """Whether 32-bit node ids suffice, and the rows do not fit into one leaf."""
        return leaf_capacity(shape.dim) < shape.n <= _MAX_ROWS

    def build(self, path: Path, rows: RowSource, shape: AnnShape) -> None:
        """Build the trees with one thread: the same rows give the same bytes on one machine.

        Raises:
            OSError: the file could not be written.
            MemoryError: the trees did not fit into memory.
        """
        forest = _require_annoy().AnnoyIndex(shape.dim, "angular")
        forest.set_seed(_SEED)
        for start in range(0, shape.n, _ADD_ROWS):
            positions = np.arange(start, min(start + _ADD_ROWS, shape.n))
            for position, vector in zip(positions.tolist(), rows.take(positions), strict=True):
                forest.add_item(position, vector.tolist())
        forest.build(shape.build_parameter, n_jobs=1)
        forest.save(str(path))
        forest.unload()

    def load(self, path: Path, size: int, shape: AnnShape) -> "LoadedForest":
        """Validate a file and load it.

        Raises:
            IndexCorruptError: the file is not a sound forest of this shape.
            OSError: the file cannot be read.
        """
        require_regular(path, size)
        problem = self.find_problem(path, shape)
        if problem is not None:
            raise IndexCorruptError(f"{path} is damaged: {problem}")
        loaded = _require_annoy().AnnoyIndex(shape.dim, "angular")
        loaded.load(str(path))
        return LoadedForest(loaded)

    def find_problem(self, path: Path, shape: AnnShape) -> str | None:
        """Say why Annoy must not load a file; None if every query of it is safe and ends.

        Checks the size; each item; each count; each leaf's ids; that every child comes before its
        parent (no cycles) and has only one (no query takes exponential time); and that the file
        ends with a root for each tree, none of which leads to another root.
        """
        n, dim, trees = shape.n, shape.dim, shape.build_parameter
        if not (1 <= dim <= MAX_DIM and self.fits(shape) and trees >= 1):
            return f"no forest can have {n} items, {trees} trees and {dim} dimensions"
        words = _HEADER_WORDS + dim
        size = path.stat().st_size
        if size % (words * _WORD_BYTES) or size // (words * _WORD_BYTES) < n + trees:
            return f"{size} bytes do not make a forest of {n} items"
        nodes: NDArray[np.int32] = mapped_array(path, "<i4").reshape(-1, words)
        return _items_and_roots(nodes, n, trees) or _tree_nodes(nodes, n, trees)


class LoadedForest:
    """A validated, loaded file. Many threads may query it at once."""

    def __init__(self, loaded: Any) -> None:
        """Wrap an annoy.AnnoyIndex with a validated file loaded."""
        self._loaded = loaded

    def query(self, vector: NDArray[np.float32], count: int, effort: int) -> NDArray[np.int64]:
        """Up to `count` positions near a vector, found by inspecting about `effort` nodes."""
        found = self._loaded.get_nns_by_vector(vector.tolist(), count, min(effort, _MAX_NODES))
        return np.array(found, dtype=np.int64)

    def close(self) -> None:
        """Unmap the file, so that Windows can remove it; no query may follow."""
        self._loaded.unload()


def _items_and_roots(nodes: NDArray[np.int32], n: int, trees: int) -> str | None:
    if not (nodes[:n, 0] == 1).all():
        return "an item is not an item"
    if not (nodes[-trees:, 0] == n).all():
        return "a root does not hold every item"
    return None


def _tree_nodes(nodes: NDArray[np.int32], n: int, trees: int) -> str | None:
    capacity = nodes.shape[1] - 1
    counts = nodes[n:, 0]
    if (counts < 1).any() or (counts > n).any():
        return "a node counts impossibly many items"
    leaf = counts <= capacity
    ids = nodes[n:][leaf, 1:]
    unused = np.arange(capacity)[None, :] >= counts[leaf][:, None]
    if (~unused & ((ids < 0) | (ids >= n))).any():
        return "a leaf names an item that does not exist"
    parents = np.arange(n, len(nodes))[~leaf]
    children = nodes[n:][~leaf, 1:3]
    if ((children < 0) | (children >= parents[:, None])).any():
        return "a node's child does not come before it"
    # Copies of roots repeat the children of their originals, and must not lead to one another: a
    # chain of copies, each with the one before as both children, takes 2**trees steps to search.
    first_copy = len(nodes) - trees
    if (children[parents >= first_copy] >= first_copy).any():
        return "a root leads to another root"
    own = children[parents < first_copy].ravel()
    own = own[own >= n]
    if len(np.unique(own)) != len(own):
        return "two nodes share a child"
    return None
