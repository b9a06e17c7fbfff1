"""What is done with vectors after the model: normalise, truncate, store in fewer bits, compare."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError

Precision = Literal["float32", "float16", "binary", "ubinary"]
Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]
SIMILARITIES: tuple[Similarity, ...] = ("cosine", "dot", "euclidean", "manhattan")


def normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row of (n, d) to unit length; an all-zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-12))


def truncate(vectors: NDArray[np.float32], dim: int, *, unit: bool) -> NDArray[np.float32]:
    """Keep the first `dim` components of (n, d) rows, re-normalised where `unit`.

    Raises:
        InputError: `dim` is not between 1 and d.
    """
    full = vectors.shape[-1]
    if not hasattr(dim, "__index__") or not 1 <= dim <= full:
        raise InputError(f"truncate_dim: expected 1 to {full} (the model's own), got {dim!r}")
    kept = np.ascontiguousarray(vectors[..., :dim])
    return normalize(kept) if unit else kept


def to_precision(vectors: NDArray[np.float32], precision: Precision) -> NDArray[Any]:
    """Convert (n, d) float32 rows to a smaller type, in sentence-transformers' conventions.

    float16: rounded. binary / ubinary: one bit a component (1 where > 0), packed big-endian into
    (n, d/8) int8 / uint8, as `quantize_embeddings` of sentence-transformers does.

    Raises:
        InputError: `precision` is unknown, or d is not a multiple of 8 for the binary kinds.
    """
    match precision:
        case "float32":
            return vectors
        case "float16":
            return vectors.astype(np.float16)
        case "binary" | "ubinary":
            if vectors.shape[-1] % 8:
                raise InputError(
                    f"precision {precision!r}: expected d divisible by 8, got {vectors.shape[-1]}"
                )
            packed = np.packbits(vectors > 0, axis=-1)
            # sentence-transformers' int8 form: the same bits, shifted down by 128.
            return packed if precision == "ubinary" else (packed ^ 0x80).view(np.int8)
        case _:
            raise InputError(
                f"precision: expected float32, float16, binary or ubinary, got {precision!r}"
            )


def similarity_matrix(a: NDArray[Any], b: NDArray[Any], kind: Similarity) -> NDArray[np.float32]:
    """Compare every row of `a` (n, d) with every row of `b` (m, d): (n, m), higher is closer.

    Distances are negated, as in sentence-transformers. One-dimensional inputs count as one row.

    Raises:
        InputError: the inputs are not vectors of one length.
    """
    left, right = _rows(a), _rows(b)
    if left.shape[1] != right.shape[1]:
        raise InputError(
            f"similarity: expected vectors of one length, got {left.shape[1]} and {right.shape[1]}"
        )
    match kind:
        case "cosine":
            return normalize(left) @ normalize(right).T
        case "dot":
            return left @ right.T
        case "euclidean":
            squared = (left**2).sum(1)[:, None] + (right**2).sum(1)[None, :] - 2 * (left @ right.T)
            return -np.sqrt(np.maximum(squared, 0)).astype(np.float32)
        case "manhattan":
            found = np.empty((len(left), len(right)), np.float32)
            for row, vector in zip(found, left, strict=True):
                row[:] = -np.abs(right - vector).sum(1)
            return found


def _rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    array = np.asarray(vectors, dtype=np.float32)
    if array.ndim not in (1, 2):
        raise InputError(f"similarity: expected shape (d,) or (n, d), got {array.shape}")
    return np.atleast_2d(array)
