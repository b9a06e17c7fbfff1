"""The usearch backend: builds graph files, validates them before every load, and queries them.

usearch checks sizes only: a damaged graph makes it read outside the file. The layout is that of
version 2 (index_dense.hpp and index.hpp of https://github.com/unum-cloud/usearch): two 32-bit sizes
and a matrix of int8 vectors; a header of 64 bytes; five 64-bit numbers about the graph; each node's
level as int16; and the nodes, packed: 64-bit key, 16-bit level, and for each level from 0 a
32-bit count and room for the 32-bit positions of the neighbors.
"""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.ann.backend import AnnShape, RowSource
from edgeembed_runtime.index.ann.locality_order import locality_order
from edgeembed_runtime.index.base.layout import require_regular
from edgeembed_runtime.index.vectors.mmap import mapped_array

# Neighbors per node (twice as many on level 0), and candidates during the build.
_CONNECTIVITY = 16
_EXPANSION_ADD = 192
_ADD_ROWS = 65_536
_MAX_ROWS = 1 << 31
_HEAD_BYTES = 64
# The magic, and what follows three version numbers: inner product, int8 scalars, 64-bit keys,
# 32-bit slots.
_MAGIC, _KINDS = b"usearch", b"i\x17\x0e\x0f"
_MAJOR_VERSION = 2
_CHECKED_NODES = 65_536
# A node: its key, 2 bytes of level, and neighbors on level 0 and on those above.
_KEY_BYTES = 8
_BASE_BYTES, _UPPER_BYTES = 4 + 8 * _CONNECTIVITY, 4 + 4 * _CONNECTIVITY


class Usearch:
    """Navigable small world graphs over int8 vectors: https://github.com/unum-cloud/usearch."""

    name = "usearch"
    suffix = "usearch"
    build_parameters = range(1)
    default_build_parameter = 0
    first_effort = 32

    def is_available(self) -> bool:
        """Whether usearch is installed and can be imported."""
        return _module() is not None

    def fits(self, shape: AnnShape) -> bool:
        """Whether 32-bit positions suffice."""
        return 1 <= shape.n < _MAX_ROWS

    def build(self, path: Path, rows: RowSource, shape: AnnShape) -> None:
        """Build the graph with all processors, so no two builds are alike to the bit.

        Raises:
            OSError: the file could not be written.
            MemoryError: the graph did not fit into memory.
        """
        graph = _new(_require_usearch(), shape.dim)
        order = locality_order(rows, shape.n)
        for start in range(0, shape.n, _ADD_ROWS):
            keys = order[start : start + _ADD_ROWS]
            graph.add(keys.astype(np.uint64), rows.take(keys), threads=available_cpus())
        _save(graph, path)

    def extend(
        self,
        path: Path,
        rows: RowSource,
        shape: AnnShape,
        positions: NDArray[np.int64],
        present: int,
    ) -> None:
        """Add rows to the graph; see GrowingBackend.

        Raises:
            OSError: the file could not be read or written.
        """
        graph = _new(_require_usearch(), shape.dim)
        try:
            graph.load(str(path))
        except RuntimeError as error:
            raise OSError(str(error)) from error
        for start in range(present, shape.n, _ADD_ROWS):
            keys = np.arange(start, min(start + _ADD_ROWS, shape.n))
            added = rows.take(positions[keys])
            graph.add(keys.astype(np.uint64), added, threads=available_cpus())
        _save(graph, path)
        graph.reset()
        _renumber(path, shape, positions)

    def load(self, path: Path, size: int, shape: AnnShape) -> "LoadedGraph":
        """Validate a file and map it.

        Raises:
            IndexCorruptError: the file is not a sound graph of this shape.
            OSError: the file cannot be read.
        """
        require_regular(path, size)
        problem = self.find_problem(path, shape)
        if problem is not None:
            raise IndexCorruptError(f"{path} is damaged: {problem}")
        graph = _new(_require_usearch(), shape.dim)
        graph.view(str(path))
        return LoadedGraph(graph)

    def find_problem(self, path: Path, shape: AnnShape) -> str | None:
        """Say why usearch must not map a file; None if every query of it is safe and ends.

        Checks every size and kind in the headers; the level of each node; that the nodes end where
        the file ends; that keys are row positions; and that each neighbor exists on its level.
        """
        data = mapped_array(path, "u1")
        matrix_end = 8 + shape.n * shape.dim
        graph_start = matrix_end + _HEAD_BYTES
        levels_start = graph_start + 40
        nodes_start = levels_start + 2 * shape.n
        if data.size < nodes_start:
            return f"{data.size} bytes are too few for {shape.n} rows"
        sizes = tuple(np.frombuffer(data[:8], "<u4").tolist())
        head = data[matrix_end:graph_start].tobytes()
        graph = np.frombuffer(data[graph_start:levels_start], "<u8").tolist()
        if sizes != (shape.n, shape.dim) or not _is_head(head, shape):
            return "its head is that of another kind of index"
        levels = np.frombuffer(data[levels_start:nodes_start], "<i2").astype(np.int64)
        size, connectivity, base, highest, entry = graph
        if (size, connectivity, base) != (shape.n, _CONNECTIVITY, 2 * _CONNECTIVITY):
            return "its graph has other numbers"
        if (levels < 0).any() or entry >= shape.n or not levels[entry] == highest == levels.max():
            return "its levels contradict its entry"
        return _find_bad_node(data[nodes_start:], levels)


def _save(graph: Any, path: Path) -> None:
    try:
        graph.save(str(path))
    except RuntimeError as error:  # what it raises if a file cannot be written
        raise OSError(str(error)) from error


def _renumber(path: Path, shape: AnnShape, positions: NDArray[np.int64]) -> None:
    """Replace each key k of a file by positions[k]; usearch could only with a table of all keys."""
    levels_start = 8 + shape.n * shape.dim + _HEAD_BYTES + 40
    nodes_start = levels_start + 2 * shape.n
    with path.open("r+b") as file:
        file.seek(levels_start)
        levels = np.frombuffer(file.read(2 * shape.n), "<i2").astype(np.int64)
        data = np.frombuffer(bytearray(file.read()), np.uint8)
        starts = _node_ends(levels) - _node_sizes(levels)
        if levels.size != shape.n or int(starts[-1]) + _KEY_BYTES > data.size:
            raise OSError(f"{path}: has become shorter")
        places = starts[:, None] + np.arange(_KEY_BYTES)
        keys = data[places].view("<u8")[:, 0]
        data[places] = positions[keys].astype("<u8")[:, None].view(np.uint8)
        file.seek(nodes_start)
        file.write(data.tobytes())


def _node_sizes(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    return 10 + _BASE_BYTES + levels * _UPPER_BYTES


def _node_ends(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum(_node_sizes(levels))


def _is_head(head: bytes, shape: AnnShape) -> bool:
    present, deleted, dim = np.frombuffer(head[17:41], "<u8").tolist()
    return (
        head.startswith(_MAGIC)
        and head[7:9] == _MAJOR_VERSION.to_bytes(2, "little")
        and head[13:17] == _KINDS
        and (present, deleted, dim) == (shape.n, 0, shape.dim)
        and not any(head[41:])
    )


def _find_bad_node(data: NDArray[np.uint8], levels: NDArray[np.int64]) -> str | None:
    base, upper = _BASE_BYTES, _UPPER_BYTES
    ends = _node_ends(levels)
    if int(ends[-1]) != data.size:
        return "its nodes do not end where the file ends"
    starts = ends - _node_sizes(levels)
    seen = np.zeros(levels.size, dtype=np.bool_)
    for level in range(int(levels.max()) + 1):
        offset = 10 if level == 0 else 10 + base + (level - 1) * upper
        room = 2 * _CONNECTIVITY if level == 0 else _CONNECTIVITY
        there = np.flatnonzero(levels >= level)
        for at in range(0, there.size, _CHECKED_NODES):
            nodes = there[at : at + _CHECKED_NODES]
            if level == 0 and not _keys_are_rows(data, starts[nodes], levels[nodes], seen):
                return "a node has the key or level of another"
            words = _words(data, starts[nodes] + offset, 1 + room)
            counts, slots = words[:, 0], words[:, 1:]
            used = np.arange(room)[None, :] < counts[:, None]
            if (counts > room).any() or (slots[used] >= levels.size).any():
                return "a node has a neighbor that does not exist"
            if (levels[slots[used]] < level).any():
                return "a node has a neighbor that is not on its level"
    return None if seen.all() else "a row has no node"


def _keys_are_rows(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    levels: NDArray[np.int64],
    seen: NDArray[np.bool_],
) -> bool:
    keys = _words(data, starts, 2)
    stored = data[starts[:, None] + np.arange(8, 10)].view("<i2")[:, 0]
    if keys[:, 1].any() or (keys[:, 0] >= seen.size).any() or (stored != levels).any():
        return False
    seen[keys[:, 0]] = True
    return True


def _words(data: NDArray[np.uint8], starts: NDArray[np.int64], count: int) -> NDArray[np.uint32]:
    """(n, count) 32-bit words from arbitrary byte offsets on."""
    return data[starts[:, None] + np.arange(4 * count)].view("<u4")


class LoadedGraph:
    """A validated, mapped file. Many threads may query it at once."""

    def __init__(self, graph: Any) -> None:
        """Wrap a usearch.index.Index that views a validated file."""
        self._graph = graph
        self._size = len(graph)

    def query(self, vector: NDArray[np.float32], count: int, effort: int) -> NDArray[np.int64]:
        """Up to `count` positions near a vector, found among `effort` candidates."""
        # usearch keeps as many candidates as results are asked for; its setting is for all threads.
        most = min(max(count, effort), self._size)
        found = self._graph.search(vector, most, threads=1)
        return found.keys[:count].astype(np.int64)

    def close(self) -> None:
        """Unmap the file, so that Windows can remove it; no query may follow."""
        self._graph.reset()


def _new(module: ModuleType, dim: int) -> Any:
    return module.Index(
        ndim=dim,
        # On unit rows the same as cosine, in two thirds of the time.
        metric="ip",
        dtype="i8",
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION_ADD,
        expansion_search=1,
        enable_key_lookups=False,
    )


def _require_usearch() -> ModuleType:
    module = _module()
    if module is None:
        raise ImportError("usearch is not installed")
    return module


def _module() -> ModuleType | None:
    if importlib.util.find_spec("usearch") is None:
        return None
    # Importing onnxruntime after usearch 2.26 kills the process (seen with 1.32 on Linux).
    import edgeembed_runtime._internal.ort  # noqa: F401  # pyright: ignore[reportUnusedImport]

    try:
        import usearch.index
    except ImportError:
        return None
    return usearch.index
