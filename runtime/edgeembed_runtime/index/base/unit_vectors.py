"""Checks vectors from outside and normalizes them to unit length."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime.errors import InputError


def unit_rows(vectors: ArrayLike, *, dim: int, what: str) -> NDArray[np.float32]:
    """Return (n, dim) float32 rows of unit length, C-contiguous, from any float or int array.

    Args:
        vectors: array-like of shape (n, dim).
        dim: components expected.
        what: the argument's name, for messages.

    Raises:
        InputError: wrong shape or type; a row with NaN or infinity, or of zeros only.
    """
    array = _numeric(vectors, what)
    if array.ndim != 2 and array.size == 0:
        array = array.reshape(0, dim)
    if array.ndim != 2 or array.shape[1] != dim:
        raise InputError(f"{what}: expected shape (n, {dim}), got {array.shape}")
    with np.errstate(over="ignore"):  # a longer float; found to be infinite below
        rows = array.astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)  # NaN if any component is
    _require_rows(np.isfinite(largest[:, 0]), what, "finite numbers, found NaN or infinity")
    _require_rows(largest[:, 0] > 0, what, "a direction, found only zeros")
    # Dividing by the largest component first keeps tiny and huge rows from under- or overflowing.
    # In float64, so that a unit row stays the same to the bit, however often it is written.
    rows /= largest
    rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return np.ascontiguousarray(rows.astype(np.float32))


def unit_row(vector: ArrayLike, *, dim: int, what: str) -> NDArray[np.float32]:
    """Return one (dim,) float32 vector of unit length; raises like unit_rows."""
    array = _numeric(vector, what)
    if array.shape != (dim,):
        raise InputError(f"{what}: expected shape ({dim},), got {array.shape}")
    return unit_rows(array[None], dim=dim, what=what)[0]


def _numeric(vectors: ArrayLike, what: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.asarray(vectors)
    except (ValueError, OverflowError, RecursionError) as error:  # rows of different lengths
        raise InputError(f"{what}: expected rows of one length ({error})") from error
    if array.dtype.kind not in "fiu" and array.size:
        raise InputError(f"{what}: expected float or integer numbers, got {array.dtype}")
    return array


def _require_rows(good: NDArray[np.bool_], what: str, expected: str) -> None:
    if not good.all():
        raise InputError(f"{what}: row {int(np.argmin(good))}: expected {expected}")
