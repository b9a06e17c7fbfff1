"""GPTQ: round weights to 8 bits so that the layer's output, not each weight, is closest.

It rounds one input channel after another; the remaining channels compensate for the rounding error
as far as they correlate with it on real inputs.
Source: Frantar et al., ICLR 2023, https://arxiv.org/abs/2210.17323.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from edgeembed_converters.quantization.trial.bits import LEVELS, Bits

# Relative to the mean of the diagonal. The paper uses 0.01. From 0.02 to 1 the mean fidelity of
# MiniLM and multilingual-e5-small hardly changes, but with little damping some texts unlike the
# calibration texts are far off (docs/notes/quantization.md).
_DAMPING = 1.0
_BLOCK = 128


@dataclass(frozen=True, kw_only=True)
class IntegerWeight:
    """A weight matrix: int8 `levels` (in, out) times float32 `scales` (out,)."""

    levels: NDArray[np.int8]
    scales: NDArray[np.float32]


def rounded_weight(
    weight: NDArray[np.float32], gram: NDArray[np.floating] | None, bits: Bits
) -> IntegerWeight:
    """Round an (in, out) matrix for inputs x with `gram` (in, in), the sum of x x^T.

    Each column gets its own scale. Without `gram`, each weight goes to the nearest level.
    """
    max_level = LEVELS[bits]
    largest = np.abs(weight).max(axis=0, initial=0).astype(np.float64)
    scales = (np.where(largest > 0, largest, max_level) / max_level).astype(np.float32)
    # The scale of a column of denormal weights would round to zero.
    scales = np.maximum(scales, np.finfo(np.float32).tiny)
    if gram is None or not np.trace(gram) > 0:
        return IntegerWeight(levels=_nearest(weight, scales, max_level), scales=scales)
    wanted = weight.astype(np.float64) / scales
    levels = _compensated(wanted, gram.astype(np.float64), max_level)
    return IntegerWeight(
        levels=np.clip(levels, -max_level, max_level).astype(np.int8), scales=scales
    )


def _nearest(
    weight: NDArray[np.float32], scales: NDArray[np.float32], max_level: int
) -> NDArray[np.int8]:
    """The nearest levels, a few rows at a time: these matrices may be the largest of all."""
    levels = np.empty(weight.shape, np.int8)
    for start in range(0, len(weight), _BLOCK):
        rows = slice(start, start + _BLOCK)
        wanted = np.round(weight[rows].astype(np.float64) / scales)
        levels[rows] = np.clip(wanted, -max_level, max_level)
    return levels


def _compensated(
    wanted: NDArray[np.float64], gram: NDArray[np.float64], max_level: int
) -> NDArray[np.float64]:
    """Levels near the (in, out) `wanted` ones, rounded row by row, most active channels first."""
    size = len(wanted)
    order = np.argsort(-np.diag(gram), kind="stable")
    rest = wanted[order]
    damped = gram[np.ix_(order, order)] + np.eye(size) * (_DAMPING * np.trace(gram) / size)
    factor = _factor_of_inverse(damped)
    levels = np.empty_like(rest)
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        errors = np.empty((stop - start, rest.shape[1]))
        for row in range(start, stop):
            levels[row] = np.clip(np.round(rest[row]), -max_level, max_level)
            errors[row - start] = (rest[row] - levels[row]) / factor[row, row]
            rest[row + 1 : stop] -= np.outer(factor[row, row + 1 : stop], errors[row - start])
        rest[stop:] -= factor[start:stop, stop:].T @ errors
    found = np.empty_like(levels)
    found[order] = levels
    return found


def _factor_of_inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper U with U^T U = inverse of a positive definite matrix.

    Its row i spreads the rounding error of channel i over the channels after it. Uses torch, which
    takes a tenth of numpy's time.
    """
    lower = torch.linalg.cholesky(torch.from_numpy(matrix).flip(0, 1))
    upper = lower.flip(0, 1)
    identity = torch.eye(len(matrix), dtype=upper.dtype)
    return torch.linalg.solve_triangular(upper, identity, upper=True).numpy()
