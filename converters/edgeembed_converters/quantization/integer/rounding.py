"""Weights rounded to 8 bits so that the layer's output, not each weight, is as near as can be.

GPTQ rounds the weights of one input channel after the other. What rounding took from a channel is
made up for by the channels still to come, as far as they go together with it in real inputs.
Source: Frantar et al., ICLR 2023, https://arxiv.org/abs/2210.17323.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from edgeembed_converters.quantization.trial.bits import LEVELS, Bits

# Of the mean of the diagonal. The paper takes 0.01. From 0.02 to 1 the mean closeness of MiniLM and
# of multilingual-e5-small hardly changes, but with little of it some text that is unlike those that
# were calibrated on is far off (docs/notes/quantization.md).
_DAMPING = 1.0
_BLOCK = 128


@dataclass(frozen=True, kw_only=True)
class IntegerWeight:
    """A matrix of weights: int8 `levels` (in, out) times float32 `scales` (out,)."""

    levels: NDArray[np.int8]
    scales: NDArray[np.float32]


def rounded_weight(
    weight: NDArray[np.float32], gram: NDArray[np.floating] | None, bits: Bits
) -> IntegerWeight:
    """Round an (in, out) matrix, for inputs of which `gram` (in, in) is the sum of x x^T.

    Every column has a scale of its own. Without `gram` each weight goes to the nearest level.
    """
    most = LEVELS[bits]
    largest = np.abs(weight).max(axis=0, initial=0).astype(np.float64)
    scales = (np.where(largest > 0, largest, most) / most).astype(np.float32)
    wanted = weight.astype(np.float64) / scales
    if gram is None or not np.trace(gram) > 0:
        levels = np.round(wanted)
    else:
        levels = _compensated(wanted, gram.astype(np.float64), most)
    return IntegerWeight(levels=np.clip(levels, -most, most).astype(np.int8), scales=scales)


def _compensated(
    wanted: NDArray[np.float64], gram: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """Levels for the (in, out) `wanted` ones, rounded row by row; the busiest channels first."""
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
            levels[row] = np.clip(np.round(rest[row]), -most, most)
            errors[row - start] = (rest[row] - levels[row]) / factor[row, row]
            rest[row + 1 : stop] -= np.outer(factor[row, row + 1 : stop], errors[row - start])
        rest[stop:] -= factor[start:stop, stop:].T @ errors
    found = np.empty_like(levels)
    found[order] = levels
    return found


def _factor_of_inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper U with U^T U = inverse of a positive definite matrix.

    Its row i says how what rounding took from channel i goes to the channels after it. By torch,
    which takes a tenth of numpy's time.
    """
    lower = torch.linalg.cholesky(torch.from_numpy(matrix).flip(0, 1))
    upper = lower.flip(0, 1)
    identity = torch.eye(len(matrix), dtype=upper.dtype)
    return torch.linalg.solve_triangular(upper, identity, upper=True).numpy()
