"""Finds which vectors of a damaged segment can still be trusted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import storage
from edgeembed_runtime.errors import EdgeEmbedError, out_of_files
from edgeembed_runtime.index.base.layout import CATALOG, open_regular, segment_path
from edgeembed_runtime.index.segments.segment import SegmentFile, SegmentInfo, read_ids
from edgeembed_runtime.index.vectors.sq8 import DecodedSq8, read_sq8
from edgeembed_runtime.vectors import normalize

_ROWS = 16_384
# Rounding of stored unit vectors, and of their distance to the decoded SQ8 rows.
_TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True)
class Salvaged:
    """The vectors of a segment, and which of them are as they were written."""

    ids: NDArray[np.int64]
    """(n,) document rows, ascending."""
    vectors: NDArray[np.float32]
    """(n, d), unit length where `exact` or `approximate`."""
    exact: NDArray[np.bool_]
    """(n,) known to be undamaged."""
    approximate: NDArray[np.bool_]
    """(n,) not exact, but decoded from SQ8, or undamaged as far as one can tell."""


def salvage(directory: Path, info: SegmentInfo, dim: int) -> Salvaged | None:
    """Read what is left of a segment; None if the row ids of its vectors are lost.

    The SQ8 file tells which vectors are damaged, and stands in for them.
    """
    try:
        ids = read_ids(directory, info.files["ids"])
    except EdgeEmbedError as error:
        _require_files(error)
        return None
    if ids.size != info.n:
        return None
    vectors, sound = _vectors(directory, info.files["f32"], info.n, dim)
    if sound:
        every = np.ones(info.n, np.bool_)
        return Salvaged(ids=ids, vectors=vectors, exact=every, approximate=~every)
    sq8 = _sq8(directory, info, dim)
    exact, approximate = np.zeros(info.n, np.bool_), np.zeros(info.n, np.bool_)
    for start in range(0, info.n, _ROWS):
        part = slice(start, start + _ROWS)
        rows = vectors[part]
        plausible = np.abs(np.linalg.norm(rows, axis=1) - 1) < _TOLERANCE
        if sq8 is None:
            approximate[part] = plausible
            continue
        decoded = sq8.rows(part)
        errors = np.linalg.norm(rows - decoded, axis=1)
        exact[part] = plausible & (errors <= sq8.max_quantization_error + _TOLERANCE)
        approximate[part] = ~exact[part]
        rows[approximate[part]] = normalize(decoded[approximate[part]])
    return Salvaged(ids=ids, vectors=vectors, exact=exact, approximate=approximate)


def _vectors(
    directory: Path, entry: SegmentFile, n: int, dim: int
) -> tuple[NDArray[np.float32], bool]:
    """(n, d) numbers, zeros where some are missing, and whether all are as they were written."""
    try:
        path = segment_path(directory, entry.name)
        with open_regular(path, None) as file:
            data = file.read(n * dim * 4 + 1)
    except (EdgeEmbedError, OSError) as error:
        _require_files(error)
        data = b""
    sound = len(data) == entry.bytes and storage.sha256_of(data) == entry.sha256
    padded = data[: n * dim * 4].ljust(n * dim * 4, b"\0")
    vectors = np.frombuffer(padded, "<f4", n * dim).reshape(n, dim)
    # No component of a unit vector exceeds 1; this finds NaN and infinity too.
    return np.where(np.abs(vectors) < 1 + _TOLERANCE, vectors, np.float32(0)), sound


def _require_files(error: Exception) -> None:
    """Raise an error that says nothing of the file: what cannot be opened is not lost."""
    if out_of_files(error):
        with storage.storage_errors("read", Path(CATALOG)):
            raise error


def _sq8(directory: Path, info: SegmentInfo, dim: int) -> DecodedSq8 | None:
    entry = info.files.get("i8")
    if entry is None:
        return None
    try:
        path = segment_path(directory, entry.name)
        with open_regular(path, entry.bytes) as file:
            data = file.read()
    except (EdgeEmbedError, OSError) as error:
        _require_files(error)
        return None
    return read_sq8(data, info.n, dim) if storage.sha256_of(data) == entry.sha256 else None
