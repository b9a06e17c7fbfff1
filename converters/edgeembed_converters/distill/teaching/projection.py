"""Projection to the principal directions of a set of vectors."""

import torch
from torch import Tensor, nn

from edgeembed_converters.modules.head import Dense


def principal_directions(vectors: Tensor, count: int) -> tuple[Tensor, float]:
    """The first `count` principal directions (d, count) of (n, d) vectors, orthonormal.

    Not centered, to preserve dot products and cosines. Also returns the share of the squared
    lengths that they preserve.
    """
    rows = vectors.double()
    variances, directions = torch.linalg.eigh(rows.T @ rows)
    kept = variances[-count:].sum() / variances.sum()
    return directions[:, -count:].flip(1).float(), float(kept)


def linear_layer(matrix: Tensor) -> Dense:
    """A head module that multiplies (n, in) rows by an (in, out) matrix."""
    linear = nn.Linear(matrix.shape[0], matrix.shape[1], bias=False)
    with torch.no_grad():
        linear.weight.copy_(matrix.T)
    return Dense(linear, nn.Identity(), None)
