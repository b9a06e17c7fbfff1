"""An image as the mean of the labels that a classifier sees in it.

ConSE: Norouzi et al., ICLR 2014, https://arxiv.org/abs/1312.5650. The projection that may be added
is trained as DeViSE's is, on pairs of images and texts: Frome et al., NeurIPS 2013.
"""

import torch
from torch import Tensor, nn


class ProbabilityMean(nn.Module):
    """Pixels to the probability-weighted mean of the vectors of the likeliest labels."""

    label_vectors: Tensor
    projection: Tensor | None

    def __init__(
        self,
        classifier: nn.Module,
        label_vectors: Tensor,
        *,
        top: int,
        temperature: float,
        projection: Tensor | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            classifier: (n, 3, h, w) float32 to (n, classes) logits.
            label_vectors: (classes, d) float32, of unit length.
            top: how many labels count.
            temperature: what logits are divided by; above 1, unlikely labels count for more.
            projection: (classes, d), applied to logits less their mean; what it gives is added.
        """
        super().__init__()
        self.classifier = classifier
        self.top = top
        self.temperature = temperature
        self.register_buffer("label_vectors", label_vectors)
        self.register_buffer("projection", projection)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(n, 3, h, w) float32 to (n, d), of no fixed length."""
        return self.from_logits(self.classifier(pixel_values))

    def from_logits(self, logits: Tensor) -> Tensor:
        """(n, classes) to (n, d)."""
        likeliest = torch.softmax(logits / self.temperature, dim=-1).topk(self.top, dim=-1)
        vectors = self.label_vectors[likeliest.indices]
        mean = (likeliest.values.unsqueeze(-1) * vectors).sum(dim=1)
        mean = nn.functional.normalize(mean, dim=-1)
        return mean if self.projection is None else mean + centered(logits) @ self.projection


def centered(logits: Tensor) -> Tensor:
    """Logits less their mean, (n, classes): a constant added to all of them says nothing."""
    return logits - logits.mean(dim=-1, keepdim=True)
