"""The whole encoder as one PyTorch module: backbone, pooling, head."""

from torch import Tensor, float32, nn

from edgeembed_converters.modules.pooling import Pool
from edgeembed_converters.sources.base.encoders import ImageSource, TextSource
from edgeembed_runtime.bundle.signature import EMBEDDING, TOKEN_EMBEDDINGS


class PoolAndHead(nn.Module):
    """Everything after the backbone: pooling (of token vectors) and the head."""

    def __init__(self, source: TextSource) -> None:
        """Take the pooling and the head of `source`."""
        super().__init__()
        self.pool = Pool(source.pooling) if source.pooling else None
        self.head = source.head

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> tuple[Tensor]:
        """(n, t, h), or (n, h) without pooling, to (n, d) float32."""
        pooled = hidden if self.pool is None else self.pool(hidden, attention_mask)
        return (self.head(pooled).to(float32),)


class TextEncoder(nn.Module):
    """Token ids to embeddings."""

    def __init__(self, source: TextSource) -> None:
        """Assemble the parts of `source` in evaluation mode."""
        super().__init__()
        self.backbone = source.backbone
        self.pool_and_head = PoolAndHead(source)
        self.outputs = text_outputs(source)
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """(n, t) int64 ids and mask to (n, d), and (n, t, h) token vectors where there are any."""
        hidden = self.backbone(input_ids, attention_mask)
        embedding = self.pool_and_head(hidden, attention_mask)
        return (*embedding, hidden.to(float32))[: len(self.outputs)]


class ImageEncoder(nn.Module):
    """Pixels to embeddings."""

    outputs = (EMBEDDING,)

    def __init__(self, source: ImageSource) -> None:
        """Assemble the parts of `source` in evaluation mode."""
        super().__init__()
        self.backbone = source.backbone
        self.head = source.head
        self.eval()

    def forward(self, pixel_values: Tensor) -> tuple[Tensor]:
        """(n, 3, h, w) float32 to (n, d) float32."""
        return (self.head(self.backbone(pixel_values)).to(float32),)


def text_outputs(source: TextSource) -> tuple[str, ...]:
    """Names of the encoder's outputs; token vectors only where the backbone returns them."""
    return (EMBEDDING, TOKEN_EMBEDDINGS) if source.pooling else (EMBEDDING,)
