"""Post-processing of vectors: normalize, truncate, quantize, compare."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import checked_choice, checked_number, shown
from edgeembed_runtime.errors import InputError

Precision = Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]
"""How components are stored; "binary" and "ubinary" pack one bit per component into bytes."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]
"""How vectors are compared; distances are negated, so higher is always closer."""
SIMILARITIES: tuple[Similarity, ...] = ("cosine", "dot", "euclidean", "manhattan")


_MAX_MARGIN = 1e6


def normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row of (n, d) vectors to unit length; all-zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-12))


def truncate(vectors: NDArray[np.float32], dim: int, *, unit: bool) -> NDArray[np.float32]:
    """Keep the first `dim` components of each (n, d) row; re-normalize if `unit`.

    Raises:
        InputError: `dim` is not between 1 and d.
    """
    check_truncate_dim(dim, vectors.shape[-1])
    truncated = np.ascontiguousarray(vectors[..., :dim])
    return normalize(truncated) if unit else truncated


def check_truncate_dim(dim: object, full: int) -> None:
    """Check that vectors of `full` components can be truncated to `dim`.

    Raises:
        InputError: `dim` is not an integer between 1 and `full`.
    """
    if isinstance(dim, bool) or not isinstance(dim, int | np.integer) or not 1 <= dim <= full:
        raise InputError(f"truncate_dim: expected 1 to {full} (the model's own), got {shown(dim)}")


@public
def calibration_ranges(vectors: NDArray[Any], *, margin: float = 0.0) -> NDArray[np.float32]:
    """Return the per-component minimum and maximum of (n, d) vectors: (2, d) float32.

    The 8-bit precisions spread their 256 levels over these ranges.

    Args:
        vectors: (n, d) calibration vectors, n > 1.
        margin: widens each range on both sides by this fraction of its width; for small samples.

    Raises:
        InputError: `vectors` is not (n, d) with n > 1, or has NaN or infinite values.
    """
    rows = _numbers(vectors, "vectors")
    if rows.ndim != 2 or len(rows) < 2 or not np.isfinite(rows).all():
        raise InputError(f"vectors: expected (n, d) finite numbers with n > 1, got {rows.shape}")
    low, high = rows.min(axis=0), rows.max(axis=0)
    padding = np.float32(checked_number(margin, "margin", 0, _MAX_MARGIN)) * (high - low)
    return np.stack([low - padding, high + padding])


def check_precision(precision: str, dim: int, ranges: NDArray[Any] | None) -> None:
    """Check that vectors of `dim` components can be stored in this precision.

    Raises:
        InputError: `precision` is unknown, `dim` is not a multiple of 8 for a binary one, or
            `ranges` for an 8-bit one are not (2, dim) ascending finite numbers.
    """
    checked_choice(precision, PRECISIONS, "precision")
    if precision in ("binary", "ubinary") and dim % 8:
        raise InputError(f"precision {precision!r}: expected d divisible by 8, got {dim}")
    if precision in ("int8", "uint8") and ranges is not None:
        _checked_ranges(ranges, dim)


def to_precision(
    vectors: NDArray[np.float32], precision: Precision, ranges: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Quantize (n, d) float32 rows, following sentence-transformers' conventions.

    float16: rounded. int8 / uint8: the level, of 256 across `ranges` (2, d), of each component;
    values outside are clipped. binary / ubinary: one bit per component (1 where > 0), packed
    big-endian into (n, d/8) int8 / uint8. Source: `quantize_embeddings` in
    https://github.com/huggingface/sentence-transformers/blob/master/sentence_transformers/util

    Raises:
        InputError: see `check_precision`; or an 8-bit precision without ranges.
    """
    check_precision(precision, vectors.shape[-1], ranges)
    match precision:
        case "float32":
            return vectors
        case "float16":
            return vectors.astype(np.float16)
        case "int8" | "uint8":
            steps = _steps(vectors, _checked_ranges(ranges, vectors.shape[-1]))
            return steps.astype(np.uint8) if precision == "uint8" else (steps - 128).astype(np.int8)
        case "binary" | "ubinary":
            packed = np.packbits(vectors > 0, axis=-1)
            # sentence-transformers' int8 form: the same bits, offset by -128.
            return packed if precision == "ubinary" else (packed ^ 0x80).view(np.int8)


def _checked_ranges(ranges: NDArray[Any] | None, dim: int) -> NDArray[np.float32]:
    array = _numbers(ranges, "ranges") if ranges is not None else np.empty(0, np.float32)
    if array.shape != (2, dim) or not np.isfinite(array).all() or (array[0] > array[1]).any():
        raise InputError(
            f"ranges: expected finite minimum and maximum values, {(2, dim)}, got {array.shape}"
        )
    return array


def _steps(vectors: NDArray[np.float32], ranges: NDArray[np.float32]) -> NDArray[np.float32]:
    step = (ranges[1] - ranges[0]) / 255
    steps = np.floor((vectors - ranges[0]) / np.where(step == 0, np.float32(1), step))
    return np.clip(steps, np.float32(0), np.float32(255))


def similarity_matrix(a: NDArray[Any], b: NDArray[Any], kind: Similarity) -> NDArray[np.float32]:
    """Compare every row of `a` (n, d) with every row of `b` (m, d): (n, m), higher is closer.

    Distances are negated, as in sentence-transformers. A one-dimensional input is one row.

    Raises:
        InputError: the inputs are not vectors of the same length.
    """
    left, right = _rows(a), _rows(b)
    if left.shape[1] != right.shape[1]:
        raise InputError(
            "similarity: expected vectors of the same length, got "
            f"{left.shape[1]} and {right.shape[1]}"
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
            scores = np.empty((len(left), len(right)), np.float32)
            for row, vector in zip(scores, left, strict=True):
                row[:] = -np.abs(right - vector).sum(1)
            return scores


def _numbers(values: Any, name: str) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            return np.asarray(values, np.float32)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{name}: expected an array of numbers, got {error}") from error


def _rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    array = _numbers(vectors, "similarity")
    if array.ndim not in (1, 2):
        raise InputError(f"similarity: expected shape (d,) or (n, d), got {array.shape}")
    return np.atleast_2d(array)
