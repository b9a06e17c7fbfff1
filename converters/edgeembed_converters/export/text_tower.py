"""The whole text encoder as one module: backbone, pooling, head."""

import torch
from torch import Tensor, nn

from edgeembed_converters.modules.pooling import Pool
from edgeembed_converters.sources.base import TextSource
from edgeembed_runtime.bundle.signature import EMBEDDING, TOKEN_EMBEDDINGS


class PoolAndHead(nn.Module):
    """What follows the backbone: pooling (if it returns token vectors) and the head."""

    def __init__(self, source: TextSource) -> None:
        """Take the pooling and the head of `source`."""
        super().__init__()
        self.pool = Pool(source.pooling) if source.pooling else None
        self.head = source.head

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> tuple[Tensor]:
        """(n, t, h), or (n, h) where there is no pooling, to (n, d) float32."""
        pooled = hidden if self.pool is None else self.pool(hidden, attention_mask)
        return (self.head(pooled).to(torch.float32),)


class TextTower(nn.Module):
    """Token ids to embeddings: the original model as one PyTorch module."""

    def __init__(self, source: TextSource) -> None:
        """Put the parts of `source` together, in evaluation mode."""
        super().__init__()
        self.backbone = source.backbone
        self.after = PoolAndHead(source)
        self.outputs = outputs_of(source)
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """(n, t) int64 ids and mask to the outputs: (n, d), and (n, t, h) of every token."""
        hidden = self.backbone(input_ids, attention_mask)
        embedding = self.after(hidden, attention_mask)
        return (*embedding, hidden.to(torch.float32))[: len(self.outputs)]


def outputs_of(source: TextSource) -> tuple[str, ...]:
    """The names of what the tower gives; token vectors only where the backbone returns them."""
    return (EMBEDDING, TOKEN_EMBEDDINGS) if source.pooling else (EMBEDDING,)
