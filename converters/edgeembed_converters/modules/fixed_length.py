"""Pad texts inside the graph, for models that only read texts of one length."""

import torch
from torch import Tensor, nn


class PaddedTo(nn.Module):
    """A text encoder that was trained on texts padded to a fixed length (SigLIP).

    It takes texts of any length up to that one, padded or not, with their mask, like any encoder.
    """

    def __init__(self, encoder: nn.Module, length: int, pad_id: int) -> None:
        """Wrap `encoder`, which takes ids and a mask; texts are padded with `pad_id`."""
        super().__init__()
        self.encoder = encoder
        self.register_buffer("padding", torch.full((1, length), pad_id), persistent=False)
        self.register_buffer("places", torch.arange(length), persistent=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids and mask, t up to the length, to the encoder's output."""
        padding = self.get_buffer("padding")
        ids = torch.where(attention_mask > 0, input_ids, padding[:, :1])
        ids = torch.cat([ids, padding.expand(ids.shape[0], -1)], dim=1)
        # Selecting by index makes the length a constant for the exporter.
        ids = ids.index_select(1, self.get_buffer("places"))
        return self.encoder(ids, torch.ones_like(ids))
