"""Approximate cosines of queries with all rows of a segment, from SQ8 codes, with error bounds.

onnxruntime multiplies uint8 queries with int8 codes several times faster than float32. The error of
a quantized cosine is bounded (Cauchy-Schwarz), so rows that cannot be among the best are ruled out
with certainty; the others are scored from their float32 vectors.
"""

import logging
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.forks import follow_forks, never_delete
from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.errors import IndexCorruptError, out_of_files
from edgeembed_runtime.index.base.layout import open_regular
from edgeembed_runtime.index.vectors.mmap import MappedFile
from edgeembed_runtime.index.vectors.sq8 import block_rows, sq8_bytes
from edgeembed_runtime.index.vectors.sq8_onnx import (
    QUERIES,
    ZERO,
    initializer_names,
    output_name,
    scan_graph,
)
from edgeembed_runtime.storage import sha256_of

_LOG = logging.getLogger(__name__)
# Queries have 129 levels, not 256: without VNNI, a CPU sums pairs of products in 16 bits, which
# hold no more than 2 * 128 * 127.
_LEVELS = 64
# The precision of the lengths of vectors and queries, and of float32 products.
_SLACK = 1e-6
# Smaller segments are done before a second thread wakes up.
_THREADED_BYTES = 1 << 26
_MAX_THREADS = 4


@dataclass(frozen=True, kw_only=True)
class Approximation:
    """For m queries and n rows: abs(cosine - product * scale) <= error."""

    products: NDArray[np.float32]
    """(m, n)."""
    scales: NDArray[np.float64]
    """(m,)."""
    errors: NDArray[np.float64]
    """(m,), of the cosine."""


class Sq8Scan:
    """The SQ8 file of a segment, opened at the first search. Many threads may use it at once."""

    def __init__(self, path: Path, *, sha256: str, n: int, dim: int) -> None:
        """Read nothing yet.

        Args:
            path: of the SQ8 file.
            sha256: what the file must have.
            n: rows.
            dim: components per row.
        """
        self._path = path
        self._sha256 = sha256
        self._n, self._dim = n, dim
        self._lock = threading.Lock()
        self._tried = False
        self._opened: _Opened | None = None

    def approximate(self, queries: NDArray[np.float32]) -> Approximation | None:
        """Approximate the cosines of (m, dim) unit queries; None if the file cannot be used.

        The reason is logged once, as a warning.
        """
        with self._lock:
            if not self._tried:
                self._tried = True
                self._opened = self._open()
        opened = self._opened
        if opened is None:
            return None
        scales = np.abs(queries).max(axis=1).astype(np.float64) / _LEVELS
        rounded = np.rint(queries / scales[:, None])
        query_errors = np.linalg.norm(queries - rounded * scales[:, None], axis=1)
        return Approximation(
            products=opened.multiply((rounded + ZERO).astype(np.uint8)),
            scales=scales,
            errors=query_errors * (1 + opened.max_quantization_error)
            + opened.max_quantization_error
            + _SLACK,
        )

    def _open(self) -> "_Opened | None":
        if not self._path.exists() and not self._path.is_symlink():
            return None  # merged away by the writer; our vectors are mapped and stay
        try:
            return _Opened(self._path, self._sha256, self._n, self._dim)
        except Exception as error:  # onnxruntime has no common class of errors
            self._tried = not out_of_files(error)
            _LOG.warning("searching a segment without its SQ8 file: %s", error)
            return None


class _Opened:
    """A verified file and the session that multiplies with it."""

    def __init__(self, path: Path, sha256: str, n: int, dim: int) -> None:
        # Imported late: an app that searches its own vectors only may never need onnxruntime.
        from edgeembed_runtime.engine.session import ConstantSession

        with open_regular(path, sq8_bytes(n, dim)) as file:
            mapped = MappedFile(file, path)
        if sha256_of(memoryview(mapped.bytes)) != sha256:
            raise IndexCorruptError(f"{path} is damaged: its SHA-256 differs from the catalog's")
        (self.max_quantization_error,) = struct.unpack("<d", mapped.bytes[-8:])
        block_sizes = [min(block_rows(dim), n - start) for start in range(0, n, block_rows(dim))]
        self._outputs = [output_name(block) for block in range(len(block_sizes))]
        self._session = ConstantSession(
            scan_graph(dim, block_sizes),
            _constants(mapped, block_sizes, dim),
            threads=min(_MAX_THREADS, available_cpus()) if n * dim >= _THREADED_BYTES else 1,
        )
        follow_forks(self, in_child=_Opened._leave_to_parent)
        # The session has its own copy, packed for the CPU.
        mapped.release()

    def _leave_to_parent(self) -> None:
        never_delete(self._session)

    def multiply(self, queries: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(m, n) products of (m, dim) uint8 queries with all rows."""
        found = self._session.run({QUERIES: queries}, self._outputs)
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def _constants(mapped: MappedFile, block_sizes: Sequence[int], dim: int) -> dict[str, NDArray[Any]]:
    n = sum(block_sizes)
    scales = np.array(mapped.array("<f4", n, offset=n * dim))  # copied, and so aligned
    constants: dict[str, NDArray[Any]] = {}
    start = 0
    for block, rows in enumerate(block_sizes):
        codes = mapped.array(np.int8, rows * dim, offset=start * dim).reshape(dim, rows)
        names = initializer_names(block)
        constants |= zip(names, (codes, scales[start : start + rows]), strict=True)
        start += rows
    return constants
