"""The layout of faiss files of one kind, checked in full before faiss reads one.

faiss checks the sizes of what it reads, but not that its numbers agree, nor what the entries of
lists are. The layout is that of write_index() for an IndexIVFPQFastScan over an IndexFlatIP
(impl/index_write.cpp and invlists/BlockInvertedLists.cpp of https://github.com/facebookresearch/faiss,
1.12 to 1.15): the heads of both, with the centers of the lists between them; the code book; and of
each list its entries' 64-bit numbers and their codes, 4 bits for each part of a vector, packed in
blocks of 32 entries. All codes are valid, so only their number is checked.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.ann.backend import AnnShape

CODES_PER_BLOCK = 32
_LEVELS = 16
_BITS = 4
# d, rows, two constants, whether it is trained, and the metric, which is the inner product.
_INDEX = struct.Struct("<4siqqqBi")
_CONSTANT = 1 << 20
_LISTS = struct.Struct("<QQ")
_COUNT = struct.Struct("<Q")
# Whether there is a map from numbers to lists, and how long it is.
_DIRECT_MAP = struct.Struct("<BQ")
# Whether codes are of differences to the center; code bytes, block, parts rounded up, two choices
# of an implementation.
_FAST_SCAN = struct.Struct("<BQiQiQ")
_CODE_BOOK = struct.Struct("<QQQQ")
_BLOCKS = struct.Struct("<4sQQQQ")
_FLOAT_BYTES, _NUMBER_BYTES = 4, 8
# What packed lists say of the bytes of one code.
_NO_CODE_BYTES = (1 << 64) - 1


def dimensions_per_code(dim: int) -> int:
    """How many numbers of a vector share a code of 4 bits."""
    # Two have the best recall for their time: 0.998 of ten neighbors are among the 64 nearest by
    # such codes, where codes of three numbers need 300 (100,000 text vectors of 384 numbers).
    return 2 if dim % 2 == 0 else 1


def find_layout_problem(data: NDArray[np.uint8], shape: AnnShape) -> str | None:
    """Say what in the bytes of a file is not as faiss wrote it; None for nothing."""
    cursor = _Cursor(data)
    try:
        lists, block_bytes = _check_heads(cursor, shape)
        _check_lists(cursor, lists, block_bytes, shape.n)
    except _LayoutError as error:
        return str(error)
    return None


class _LayoutError(Exception):
    """Something is not as faiss wrote it."""


class _Cursor:
    """Reads a file from its start on."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data, self.at = data, 0

    @property
    def is_at_end(self) -> bool:
        return self.at == self._data.size

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > self._data.size:
            raise _LayoutError(f"{self._data.size} bytes are too few")

    def bytes(self, count: int) -> bytes:
        start = self.at
        self.skip(count)
        return self._data[start : self.at].tobytes()

    def values(self, kind: struct.Struct) -> tuple[Any, ...]:
        return kind.unpack(self.bytes(kind.size))

    def expect(self, kind: struct.Struct, expected: tuple[Any, ...], otherwise: str) -> None:
        if self.values(kind) != expected:
            raise _LayoutError(otherwise)

    def expect_finite(self, count: int, otherwise: str) -> None:
        if not np.isfinite(np.frombuffer(self.bytes(_FLOAT_BYTES * count), "<f4")).all():
            raise _LayoutError(otherwise)


def _check_heads(cursor: _Cursor, shape: AnnShape) -> tuple[int, int]:
    """Check all that comes before the lists: how many those are, and the bytes of a block."""
    dim = shape.dim
    parts = dim // dimensions_per_code(dim)
    rounded = parts + parts % 2
    code_bytes, block_bytes = (parts + 1) // 2, CODES_PER_BLOCK * rounded // 2
    is_index = (_CONSTANT, _CONSTANT, 1, 0)
    other_head = "its head is that of another kind of index"
    cursor.expect(_INDEX, (b"IwPf", dim, shape.n, *is_index), other_head)
    lists, _ = cursor.values(_LISTS)
    if not 1 <= lists <= shape.n:
        raise _LayoutError(f"it has {lists} lists of {shape.n} rows")
    other_head = "the centers of its lists have another kind of head"
    cursor.expect(_INDEX, (b"IxFI", dim, lists, *is_index), other_head)
    cursor.expect(_COUNT, (lists * dim,), "its lists have another number of centers")
    cursor.expect_finite(lists * dim, "the center of a list is not finite")
    cursor.expect(_DIRECT_MAP, (0, 0), "it maps rows to lists")
    codes = (1, code_bytes, CODES_PER_BLOCK, rounded, 0, 0)
    cursor.expect(_FAST_SCAN, codes, "its codes are of another kind")
    book = (dim, parts, _BITS, dim * _LEVELS)
    cursor.expect(_CODE_BOOK, book, "its code book is of another kind")
    cursor.expect_finite(dim * _LEVELS, "its code book is not finite")
    packed = (b"ilbl", lists, _NO_CODE_BYTES, CODES_PER_BLOCK, block_bytes)
    cursor.expect(_BLOCKS, packed, "its lists are packed in another way")
    return lists, block_bytes


def _check_lists(cursor: _Cursor, lists: int, block_bytes: int, n: int) -> None:
    seen = np.zeros(n, np.bool_)
    total = 0
    for number in range(lists):
        (entries,) = cursor.values(_COUNT)
        if entries > n:
            raise _LayoutError(f"list {number} has {entries} entries of {n} rows")
        rows = np.frombuffer(cursor.bytes(_NUMBER_BYTES * entries), "<i8")
        if entries and not 0 <= rows.min() <= rows.max() < n:
            raise _LayoutError(f"list {number} has a row that does not exist")
        seen[rows] = True
        total += entries
        codes = -(-entries // CODES_PER_BLOCK) * block_bytes
        cursor.expect(_COUNT, (codes,), f"list {number} has another number of codes")
        cursor.skip(codes)
    if not cursor.is_at_end:
        raise _LayoutError("its lists do not end where the file ends")
    if total != n or not seen.all():
        raise _LayoutError("a row is in no list, or in two")
