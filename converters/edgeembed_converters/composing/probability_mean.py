"""An image as the mean of the labels that a classifier predicts.

ConSE: Norouzi et al., ICLR 2014, https://arxiv.org/abs/1312.5650. The optional projection is
trained on image-text pairs, like DeViSE: Frome et al., NeurIPS 2013.
"""

import torch
from torch import Tensor, nn


class ProbabilityMean(nn.Module):
    """Pixels to the probability-weighted mean of the most likely labels' vectors."""

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
        """Assemble the parts.

        Args:
            classifier: (n, 3, h, w) float32 to (n, classes) logits.
            label_vectors: (classes, d) float32 unit vectors.
            top: how many labels count.
            temperature: divides the logits; above 1, unlikely labels count more.
            projection: (classes, d), applied to centered logits and added to the mean.
        """
        super().__init__()
        self.classifier = classifier
        self.top = top
        self.temperature = temperature
        self.register_buffer("label_vectors", label_vectors)
        self.register_buffer("projection", projection)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(n, 3, h, w) float32 to (n, d), not normalized."""
        return self.from_logits(self.classifier(pixel_values))

    def from_logits(self, logits: Tensor) -> Tensor:
        """(n, classes) to (n, d)."""
        likely = torch.softmax(logits / self.temperature, dim=-1).topk(self.top, dim=-1)
        vectors = self.label_vectors[likely.indices]
        mean = (likely.values.unsqueeze(-1) * vectors).sum(dim=1)
        mean = nn.functional.normalize(mean, dim=-1)
        return mean if self.projection is None else mean + centered(logits) @ self.projection


def centered(logits: Tensor) -> Tensor:
    """Logits minus their mean, (n, classes): a constant offset carries no information."""
    return logits - logits.mean(dim=-1, keepdim=True)
