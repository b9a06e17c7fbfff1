"""The faiss backend: lists of 4-bit codes, of which a few are scanned, many entries at a time.

An inverted file with product quantization whose look-up tables stay in registers: Andre et al.,
"Accelerated nearest neighbor search with Quick ADC", ICMR 2017, https://arxiv.org/abs/1704.07355;
Douze et al., "The Faiss library", https://arxiv.org/abs/2401.08281. The codes alone find few of the
nearest rows; scored exactly, the best of them are nearly always among those that look nearest.
"""

import math
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.ann.backend import AnnShape, RowSource
from edgeembed_runtime.index.ann.faiss_layout import (
    CODES_PER_BLOCK,
    dimensions_per_code,
    find_layout_problem,
)
from edgeembed_runtime.index.base.layout import require_regular
from edgeembed_runtime.index.vectors.mmap import mapped_array

_SEED = 0
_BITS = 4
# Before 1.12 a search of one query ignores how many lists it is to scan.
_OLDEST = (1, 12)
# Codes of 16 levels are not worth training on fewer.
_MIN_ROWS = 64
_MAX_ROWS, _MAX_LISTS = 1 << 31, 1 << 14
_ROWS_PER_LIST, _MIN_TRAINING_ROWS = 40, 4096
_TRAINING_BYTES, _PIECE_BYTES = 1 << 28, 1 << 26
_FLOAT_BYTES = 4


class Faiss:
    """Lists of product-quantized codes: https://github.com/facebookresearch/faiss."""

    name = "faiss"
    suffix = "faiss"
    # Lists; 0: about the root of the number of rows.
    build_parameters = range(_MAX_LISTS + 1)
    default_build_parameter = 0
    # Lists that are scanned. A search of all finds no more with more effort, but scores more.
    first_effort = 32

    def is_available(self) -> bool:
        """Whether faiss is installed, not too old, and safe here beside other libraries."""
        return _module() is not None

    def fits(self, shape: AnnShape) -> bool:
        """Whether there are enough rows to train codes, and as many rows as lists."""
        return max(_MIN_ROWS, shape.build_parameter) <= shape.n < _MAX_ROWS

    def build(self, path: Path, rows: RowSource, shape: AnnShape) -> None:
        """Train lists and codes on some of the rows, and add all: the same rows, the same bytes.

        Raises:
            OSError: the file could not be written.
            MemoryError: the index did not fit into memory.
            RuntimeError: faiss failed, or wrote a layout that is not known here.
        """
        faiss = _require_faiss()
        lists = shape.build_parameter or math.isqrt(shape.n)
        parts = shape.dim // dimensions_per_code(shape.dim)
        quantizer = faiss.IndexFlatIP(shape.dim)
        index = faiss.IndexIVFPQFastScan(
            quantizer, shape.dim, lists, parts, _BITS, faiss.METRIC_INNER_PRODUCT, CODES_PER_BLOCK
        )
        index.by_residual = True
        for clustering in (index.cp, index.pq.cp):
            clustering.seed, clustering.min_points_per_centroid = _SEED, 1
        with _one_thread(faiss):
            index.train(rows.take(_training_rows(shape, lists)))
            _add(index, rows, np.arange(shape.n), 0)
        _save(faiss, index, path, shape)

    def extend(
        self,
        path: Path,
        rows: RowSource,
        shape: AnnShape,
        positions: NDArray[np.int64],
        present: int,
    ) -> None:
        """Add rows to the lists; see GrowingBackend.

        Raises:
            OSError: the file could not be read or written.
        """
        faiss = _require_faiss()
        index = faiss.deserialize_index(np.fromfile(path, np.uint8))
        with _one_thread(faiss):
            _add(index, rows, positions, present)
        for number in range(index.nlist):
            size = index.invlists.list_size(number)
            if size:
                entries = faiss.rev_swig_ptr(index.invlists.get_ids(number), size)
                entries[:] = positions[entries]
        _save(faiss, index, path, shape)

    def load(self, path: Path, size: int, shape: AnnShape) -> "LoadedLists":
        """Validate a file and read it into memory.

        Raises:
            IndexCorruptError: the file is not sound, or not of this shape.
            OSError: the file cannot be read.
        """
        require_regular(path, size)
        data = mapped_array(path, "u1")
        problem = find_layout_problem(data, shape)
        if problem is not None:
            raise IndexCorruptError(f"{path} is damaged: {problem}")
        faiss = _require_faiss()
        return LoadedLists(faiss, faiss.deserialize_index(data))

    def find_problem(self, path: Path, shape: AnnShape) -> str | None:
        """Say why faiss must not read a file; None if every query of it is safe and ends."""
        return find_layout_problem(mapped_array(path, "u1"), shape)


class LoadedLists:
    """A validated file in memory. Many threads may query it at once."""

    def __init__(self, module: ModuleType, index: Any) -> None:
        """Wrap an index that faiss read from a validated file."""
        self._faiss = module
        self._index: Any = index
        self._lists = int(index.nlist)

    def query(self, vector: NDArray[np.float32], count: int, effort: int) -> NDArray[np.int64]:
        """Up to `count` positions whose codes are near a vector, of the `effort` nearest lists."""
        return self._search(vector, count, effort, None)

    @property
    def most_effort(self) -> int:
        """How many lists there are."""
        return self._lists

    def query_among(
        self, vector: NDArray[np.float32], count: int, effort: int, wanted: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Like `query`, among the positions where `wanted` is true."""
        bits = np.packbits(wanted, bitorder="little")
        return self._search(vector, count, effort, self._faiss.IDSelectorBitmap(bits))

    def _search(
        self, vector: NDArray[np.float32], count: int, effort: int, selector: Any
    ) -> NDArray[np.int64]:
        parameters = self._faiss.SearchParametersIVF(nprobe=min(effort, self._lists), sel=selector)
        _, found = self._index.search(vector[None], count, params=parameters)
        return found[0][found[0] >= 0]

    def close(self) -> None:
        """Free the lists; no query may follow."""
        self._index = None


def _training_rows(shape: AnnShape, lists: int) -> NDArray[np.int64]:
    most = max(_MIN_TRAINING_ROWS, lists, _TRAINING_BYTES // (_FLOAT_BYTES * shape.dim))
    wanted = min(shape.n, most, max(_MIN_TRAINING_ROWS, _ROWS_PER_LIST * lists))
    chosen = np.random.default_rng(_SEED).choice(shape.n, wanted, replace=False)
    return np.sort(chosen)


def _add(index: Any, rows: RowSource, positions: NDArray[np.int64], present: int) -> None:
    """Add the rows at positions[present:] under their numbers, from `present` on."""
    step = max(1, _PIECE_BYTES // (_FLOAT_BYTES * index.d))
    for start in range(present, positions.size, step):
        numbers = np.arange(start, min(start + step, positions.size))
        index.add_with_ids(rows.take(positions[numbers]), numbers)


def _save(faiss: ModuleType, index: Any, path: Path, shape: AnnShape) -> None:
    index.nprobe = 1
    data = faiss.serialize_index(index)
    problem = find_layout_problem(data, shape)
    if problem is not None:
        raise RuntimeError(f"faiss {faiss.__version__} writes files that are not known: {problem}")
    path.write_bytes(data)


@contextmanager
def _one_thread(faiss: ModuleType) -> Generator[None]:
    """Let faiss start no threads: GNU OpenMP, which has them, hangs in a child of a fork later."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _require_faiss() -> ModuleType:
    module = _module()
    if module is None:
        raise ImportError("faiss is not installed")
    return module


def _module() -> ModuleType | None:
    # Elsewhere its OpenMP ends a process that also loads that of torch, unless the user allows two:
    # https://github.com/faiss-wheels/faiss-wheels/issues/73. GNU's, on Linux, bears others.
    if sys.platform != "linux" and "KMP_DUPLICATE_LIB_OK" not in os.environ:
        return None
    try:
        import faiss
    except ImportError:
        return None
    version = tuple(int(part) for part in faiss.__version__.split(".")[:2])
    return faiss if version >= _OLDEST else None
