"""The encoder of static models: a text's vector is the mean of its tokens' rows of a table."""

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class MeanOfRows(nn.Module):
    """The mean of the rows of a text's tokens; zeros for a text that has none which count."""

    def __init__(self, table: Tensor, uncounted: Collection[int] = ()) -> None:
        """Wrap a table.

        Args:
            table: (ids, d) float32; the rows of `uncounted` are zeros.
            uncounted: the ids of tokens that do not count.
        """
        super().__init__()
        self.uncounted = tuple(sorted(uncounted))
        self.table = nn.Embedding.from_pretrained(table)
        counts = torch.ones(table.shape[0], 1)
        counts[list(self.uncounted)] = 0
        self.counts = nn.Embedding.from_pretrained(counts)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids and mask to (n, d) float32."""
        mask = attention_mask.unsqueeze(-1).to(torch.float32) * self.counts(input_ids)
        return (self.table(input_ids) * mask).sum(1) / mask.sum(1).clamp(min=1.0)

    def rows(self) -> NDArray[np.float32]:
        """The table, (ids, d)."""
        return self.table.weight.detach().numpy()
