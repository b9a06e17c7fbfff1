"""The whole image encoder as one module: backbone, pooling, head."""

from torch import Tensor, float32, nn

from edgeembed_converters.sources.base import ImageSource
from edgeembed_runtime.bundle.signature import EMBEDDING

OUTPUTS = (EMBEDDING,)


class ImageTower(nn.Module):
    """Pixels to embeddings: the original model as one PyTorch module."""

    def __init__(self, source: ImageSource) -> None:
        """Put the parts of `source` together, in evaluation mode."""
        super().__init__()
        self.backbone = source.backbone
        self.head = source.head
        self.eval()

    def forward(self, pixel_values: Tensor) -> tuple[Tensor]:
        """(n, 3, h, w) float32 to (n, d) float32."""
        return (self.head(self.backbone(pixel_values)).to(float32),)
