"""The directions that a set of vectors needs most."""

import torch
from torch import Tensor, nn

from edgeembed_converters.modules.head import Dense


def principal_directions(vectors: Tensor, count: int) -> tuple[Tensor, float]:
    """The `count` orthonormal directions (d, count) that keep most of (n, d) vectors' length.

    Without centring, so that dot products and cosines are what is kept. Also returns the kept share
    of the squared lengths.
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
