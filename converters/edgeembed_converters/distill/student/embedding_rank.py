"""Factorize the token embeddings into two smaller tables."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from edgeembed_runtime.errors import InputError, UnsupportedModelError


class FactorizedEmbedding(nn.Module):
    """Embeddings of width r, and a matrix that projects them to h.

    Source: Lan et al., ALBERT (2020), section 3.1, https://arxiv.org/abs/1909.11942.
    """

    def __init__(self, rows: Tensor, basis: Tensor) -> None:
        """Take `rows` (vocabulary, r) and an orthonormal `basis` (r, h)."""
        super().__init__()
        self.rows = nn.Embedding.from_pretrained(rows, freeze=False)
        self.up = nn.Linear(basis.shape[0], basis.shape[1], bias=False)
        with torch.no_grad():
            self.up.weight.copy_(basis.T)

    def forward(self, input_ids: Tensor) -> Tensor:
        """(n, t) int64 ids to (n, t, h)."""
        return self.up(self.rows(input_ids))


def check_rank(model: nn.Module, rank: int) -> None:
    """Refuse a rank that the token embeddings cannot have.

    Raises:
        InputError: the rank is not between 1 and the width of the embeddings, exclusive.
        UnsupportedModelError: the model has no token embeddings.
    """
    holder: Any = model
    try:
        width = holder.get_input_embeddings().weight.shape[1]
    except (AttributeError, NotImplementedError) as error:
        raise UnsupportedModelError(
            f"{type(model).__name__}: expected a table of token vectors to factorize, found none"
        ) from error
    if not 1 <= rank < width:
        raise InputError(
            f"embedding_rank: expected 1 to {width - 1}, less than the table's width, got {rank}"
        )


def factorize(model: nn.Module, rank: int, ids: Iterable[Tensor]) -> float:
    """Factorize the token embeddings of a transformers model to `rank`, in place.

    The basis is the PCA of the embeddings, weighted by token frequency in `ids`, so that frequent
    tokens are preserved best. Returns the share of the (uncentered) variance that is kept.

    Raises:
        InputError: the rank is not between 1 and the width of the embeddings, exclusive.
        UnsupportedModelError: the model has no token embeddings.
    """
    check_rank(model, rank)
    holder: Any = model
    table = holder.get_input_embeddings().weight.detach()
    counts = torch.zeros(len(table), dtype=torch.float64)
    for each in ids:
        counts += torch.bincount(each.flatten(), minlength=len(table))
    weighted = table.double() * (counts + 1).sqrt()[:, None]  # add-one smoothing for unseen tokens
    variances, vectors = torch.linalg.eigh(weighted.T @ weighted)
    basis = vectors[:, -rank:].flip(1)
    holder.set_input_embeddings(
        FactorizedEmbedding((table.double() @ basis).float(), basis.T.float())
    )
    return float(variances[-rank:].sum() / variances.sum())
