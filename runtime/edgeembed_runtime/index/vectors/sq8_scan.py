"""Cosines of queries with every row of a segment, from its codes, and how far they may be off.

onnxruntime multiplies uint8 queries with int8 codes at several times the speed of float32. What
rounding does to a cosine is bounded (Cauchy-Schwarz), so that rows that cannot be among the best
are known for certain; the others are scored from their float32 vectors.
"""

import logging
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.base.layout import open_regular
from edgeembed_runtime.index.vectors.mmap import MappedFile
from edgeembed_runtime.index.vectors.sq8 import block_rows, sq8_bytes
from edgeembed_runtime.index.vectors.sq8_graph import (
    QUERIES,
    ZERO,
    initializer_names,
    output_name,
    scan_graph,
)
from edgeembed_runtime.storage import sha256_of

_LOG = logging.getLogger(__name__)
# Queries have 129 levels, not 256: without VNNI, a processor sums pairs of products in 16 bits,
# and 2 * 128 * 127 is the most that fits.
_LEVELS = 64
# Lengths of stored vectors and queries, and products in float32, are exact to this.
_SLACK = 1e-6
# Smaller segments are done before a second thread has woken up.
_THREADED_BYTES = 1 << 26
_MAX_THREADS = 4
_ERRORS_ONLY = 3


@dataclass(frozen=True, kw_only=True)
class Approximation:
    """For m queries and n rows, cosine == product * scale, give or take `error`."""

    products: NDArray[np.float32]
    """(m, n)."""
    scales: NDArray[np.float64]
    """(m,)."""
    errors: NDArray[np.float64]
    """(m,), of the cosine."""


class Sq8Scan:
    """The code file of one segment, opened at the first search. Safe to use from many threads."""

    def __init__(self, path: Path, *, sha256: str, n: int, dim: int) -> None:
        """Remember a file; nothing is read.

        Args:
            path: of the code file.
            sha256: that it must have.
            n: its rows.
            dim: their components.
        """
        self._path = path
        self._sha256 = sha256
        self._n, self._dim = n, dim
        self._lock = threading.Lock()
        self._tried = False
        self._opened: _Opened | None = None

    def approximate(self, queries: NDArray[np.float32]) -> Approximation | None:
        """Approximate cosines of (m, dim) unit queries; None where the file cannot be used.

        That it cannot is logged as a warning, once.
        """
        with self._lock:
            if not self._tried:
                self._opened = self._open()
                self._tried = True
        opened = self._opened
        if opened is None:
            return None
        scales = np.abs(queries).max(axis=1).astype(np.float64) / _LEVELS
        rounded = np.rint(queries / scales[:, None])
        missed = np.linalg.norm(queries - rounded * scales[:, None], axis=1)
        return Approximation(
            products=opened.multiply((rounded + ZERO).astype(np.uint8)),
            scales=scales,
            errors=missed * (1 + opened.max_quantization_error)
            + opened.max_quantization_error
            + _SLACK,
        )

    def _open(self) -> "_Opened | None":
        if not self._path.exists() and not self._path.is_symlink():
            return None  # merged away by the writer since; our vectors are mapped and stay
        try:
            return _Opened(self._path, self._sha256, self._n, self._dim)
        except Exception as error:  # onnxruntime has no common class of errors
            _LOG.warning("searching a segment without its codes: %s", error)
            return None


class _Opened:
    """A mapped, verified file and the session that multiplies with it."""

    def __init__(self, path: Path, sha256: str, n: int, dim: int) -> None:
        from edgeembed_runtime._internal.ort import ort

        with open_regular(path, sq8_bytes(n, dim)) as file:
            mapped = MappedFile(file, path)
        if sha256_of(memoryview(mapped.bytes)) != sha256:
            raise IndexCorruptError(f"{path} is damaged: its SHA-256 differs from the catalog's")
        (self.max_quantization_error,) = struct.unpack("<d", mapped.bytes[-8:])
        sizes = [min(block_rows(dim), n - start) for start in range(0, n, block_rows(dim))]
        names, values = _initializers(ort, mapped, sizes, dim)
        # onnxruntime may look at the values for as long as the session lives.
        self._values = values
        self._outputs = [output_name(block) for block in range(len(sizes))]
        options = ort.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        threads = min(_MAX_THREADS, available_cpus()) if n * dim >= _THREADED_BYTES else 1
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_external_initializers(names, values)
        self._session = ort.InferenceSession(
            scan_graph(dim, sizes), options, providers=["CPUExecutionProvider"]
        )
        # The session has its own copy, arranged for its processor: the pages may go.
        mapped.release()

    def multiply(self, queries: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: list[Any] = list(self._session.run(self._outputs, {QUERIES: queries}))
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def _initializers(
    ort: Any, mapped: MappedFile, sizes: list[int], dim: int
) -> tuple[list[str], list[Any]]:
    n = sum(sizes)
    scales = np.array(mapped.array("<f4", n, offset=n * dim))  # copied, and so aligned
    names: list[str] = []
    values: list[Any] = []
    start = 0
    for block, rows in enumerate(sizes):
        codes = mapped.array(np.int8, rows * dim, offset=start * dim).reshape(dim, rows)
        given = (codes, scales[start : start + rows])
        values += [ort.OrtValue.ortvalue_from_numpy(array) for array in given]
        names += initializer_names(block)
        start += rows
    return names, values
