"""Scalar quantization to 8 bits (SQ8): int8 codes and a scale for each row, a quarter of float32.

A component is about its code times the scale of its row. The file has blocks of `block_rows(dim)`
rows, the last with fewer, each a (dim, rows) int8 matrix in C order; then a float32 scale for each
row; then, as float64, the max quantization error: the largest distance of a row to its decoded row.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import storage

# Large enough for matrix products, small enough to write with little memory.
_BLOCK_BYTES = 1 << 24
_CHUNK_ROWS = 1024
_LARGEST_CODE = 127
_SCALE_BYTES, _ERROR_BYTES = 4, 8


def block_rows(dim: int) -> int:
    """Rows per block of an SQ8 file."""
    return max(1, _BLOCK_BYTES // dim)


def sq8_bytes(n: int, dim: int) -> int:
    """The size of the SQ8 file of (n, dim) vectors."""
    return n * (dim + _SCALE_BYTES) + _ERROR_BYTES


def quantize_rows(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32], float]:
    """The codes (n, dim) and scales (n,) of rows, and their max quantization error."""
    scales = np.abs(rows).max(axis=1) / np.float32(_LARGEST_CODE)
    divisors = np.where(scales > 0, scales, np.float32(1))  # a row of zeros stays one
    codes: NDArray[np.int8] = np.rint(rows / divisors[:, None]).astype(np.int8)
    errors = rows.astype(np.float64) - codes * scales[:, None].astype(np.float64)
    return codes, scales, float(np.sqrt(np.square(errors).sum(axis=1).max(initial=0.0)))


def write_sq8(
    path: Path, vectors: NDArray[np.float32], release: Callable[[], object]
) -> tuple[int, str]:
    """Write the SQ8 file of (n, dim) unit vectors durably; returns its size and SHA-256.

    `release` is called whenever some vectors have been read: what they map need not stay in memory.

    Raises:
        StorageError: the file system refused.
    """
    return storage.write_stream(path, _pieces(vectors, release))


def _pieces(
    vectors: NDArray[np.float32], release: Callable[[], object]
) -> Iterator[bytes | memoryview]:
    n, dim = vectors.shape
    scales = np.empty(n, dtype="<f4")
    max_error = 0.0
    for start in range(0, n, block_rows(dim)):
        end = min(n, start + block_rows(dim))
        block = np.empty((dim, end - start), dtype=np.int8)
        for at in range(start, end, _CHUNK_ROWS):
            chunk = slice(at, min(end, at + _CHUNK_ROWS))
            codes, scales[chunk], error = quantize_rows(vectors[chunk])
            block[:, chunk.start - start : chunk.stop - start] = codes.T
            max_error = max(max_error, error)
            release()
        yield block.data.cast("B")
    yield scales.tobytes()
    yield struct.pack("<d", max_error)


@dataclass(frozen=True, kw_only=True)
class DecodedSq8:
    """An SQ8 file in memory."""

    blocks: Sequence[NDArray[np.int8]]
    """Each (dim, rows)."""
    scales: NDArray[np.float32]
    max_quantization_error: float

    def rows(self, part: slice) -> NDArray[np.float32]:
        """The decoded vectors of consecutive rows: (n, dim)."""
        size = self.blocks[0].shape[1]
        positions = np.arange(*part.indices(self.scales.size))
        found = np.empty((positions.size, self.blocks[0].shape[0]), np.float32)
        for number, block in enumerate(self.blocks):
            here = positions // size == number
            found[here] = block[:, positions[here] - number * size].T
        return found * self.scales[positions][:, None]


def read_sq8(data: bytes, n: int, dim: int) -> DecodedSq8:
    """Parse the SQ8 file of (n, dim) vectors."""
    codes = np.frombuffer(data, np.int8, n * dim)
    step = block_rows(dim)
    return DecodedSq8(
        blocks=[
            codes[start * dim : min(n, start + step) * dim].reshape(dim, -1)
            for start in range(0, n, step)
        ],
        scales=np.frombuffer(data, "<f4", n, offset=n * dim).copy(),
        max_quantization_error=struct.unpack("<d", data[-_ERROR_BYTES:])[0],
    )
