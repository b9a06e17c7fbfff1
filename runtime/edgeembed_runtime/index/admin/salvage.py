"""What can still be trusted of a damaged segment's vectors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import storage
from edgeembed_runtime.errors import EdgeEmbedError
from edgeembed_runtime.index.base.layout import open_regular, segment_path
from edgeembed_runtime.index.segments.segment import SegmentFile, SegmentInfo, read_ids
from edgeembed_runtime.index.vectors.sq8 import DecodedSq8, read_sq8
from edgeembed_runtime.vectors import normalize

_ROWS = 16_384
# Rounding of stored unit vectors, and of the distance to their codes.
_TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True)
class Salvaged:
    """Vectors of a segment, and which are as they were written."""

    ids: NDArray[np.int64]
    """(n,) document rows, ascending."""
    vectors: NDArray[np.float32]
    """(n, d), unit length where `exact` or `near`."""
    exact: NDArray[np.bool_]
    """(n,) known to be undamaged."""
    near: NDArray[np.bool_]
    """(n,) not exact, but rounded to 8 bits, or undamaged as far as one can see."""


def salvage(directory: Path, info: SegmentInfo, dim: int) -> Salvaged | None:
    """Read what is left of a segment; None where nobody knows which document a vector is of.

    The file of codes tells which vectors it does not belong to, and stands in for them.
    """
    try:
        ids = read_ids(directory, info.files["ids"])
    except (EdgeEmbedError, OSError):
        return None
    vectors, sound = _vectors(directory, info.files["f32"], info.n, dim)
    if sound:
        every = np.ones(info.n, np.bool_)
        return Salvaged(ids=ids, vectors=vectors, exact=every, near=~every)
    codes = _codes(directory, info, dim)
    exact, near = np.zeros(info.n, np.bool_), np.zeros(info.n, np.bool_)
    for start in range(0, info.n, _ROWS):
        part = slice(start, start + _ROWS)
        rows = vectors[part]
        plausible = np.abs(np.linalg.norm(rows, axis=1) - 1) < _TOLERANCE
        if codes is None:
            near[part] = plausible
            continue
        rounded = codes.rows(part)
        missed = np.linalg.norm(rows - rounded, axis=1)
        exact[part] = plausible & (missed <= codes.max_quantization_error + _TOLERANCE)
        near[part] = ~exact[part]
        rows[near[part]] = normalize(rounded[near[part]])
    return Salvaged(ids=ids, vectors=vectors, exact=exact, near=near)


def _vectors(
    directory: Path, entry: SegmentFile, n: int, dim: int
) -> tuple[NDArray[np.float32], bool]:
    """(n, d) numbers, zeros where there are none, and whether all are as they were written."""
    try:
        path = segment_path(directory, entry.name)
        with open_regular(path, None) as file:
            data = file.read(entry.bytes + 1)
    except (EdgeEmbedError, OSError):
        data = b""
    sound = len(data) == entry.bytes and storage.sha256_of(data) == entry.sha256
    padded = data[: entry.bytes].ljust(n * dim * 4, b"\0")
    vectors = np.frombuffer(padded, "<f4", n * dim).reshape(n, dim)
    # No component of a unit vector is larger than 1; this finds NaN and infinity as well.
    return np.where(np.abs(vectors) < 1 + _TOLERANCE, vectors, np.float32(0)), sound


def _codes(directory: Path, info: SegmentInfo, dim: int) -> DecodedSq8 | None:
    entry = info.files.get("i8")
    if entry is None:
        return None
    try:
        path = segment_path(directory, entry.name)
        with open_regular(path, entry.bytes) as file:
            data = file.read()
    except (EdgeEmbedError, OSError):
        return None
    return read_sq8(data, info.n, dim) if storage.sha256_of(data) == entry.sha256 else None
