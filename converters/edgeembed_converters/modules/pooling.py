"""Pooling: from token vectors to one vector, as sentence-transformers computes it.

Source: https://github.com/huggingface/sentence-transformers (Pooling). Padding is on the right.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Pooling = Literal["cls", "mean", "max", "last", "mean_sqrt_len", "weightedmean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
# By the names that sentence-transformers has for them.
LIBRARY_POOLINGS: Mapping[str, Pooling] = {
    "cls": "cls",
    "mean": "mean",
    "max": "max",
    "lasttoken": "last",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weightedmean",
}
# Keeps a division by the number of tokens finite; sentence-transformers' value.
_TINY = 1e-9


class Pool(nn.Module):
    """One or more kinds of pooling, concatenated."""

    def __init__(self, kinds: Sequence[Pooling]) -> None:
        """`kinds` has at least one entry."""
        super().__init__()
        self.functions = [_FUNCTIONS[kind] for kind in kinds]

    def forward(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t, h) token vectors and their (n, t) mask to (n, h x kinds)."""
        mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
        return torch.cat([function(tokens, mask) for function in self.functions], dim=-1)


def _cls(tokens: Tensor, mask: Tensor) -> Tensor:
    del mask
    return tokens[:, 0]


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    return (tokens * mask).sum(1) / mask.sum(1).clamp(min=_TINY)


def _mean_sqrt_len(tokens: Tensor, mask: Tensor) -> Tensor:
    return (tokens * mask).sum(1) / mask.sum(1).clamp(min=_TINY).sqrt()


def _max(tokens: Tensor, mask: Tensor) -> Tensor:
    return tokens.masked_fill(mask == 0, float("-inf")).max(dim=1).values


def _weighted_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    # Muennighoff, SGPT (2022): the i-th token counts i times. https://arxiv.org/abs/2202.08904
    weights = mask.cumsum(1) * mask
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=_TINY)


def _last(tokens: Tensor, mask: Tensor) -> Tensor:
    is_last = mask * (mask.cumsum(1) == mask.sum(1, keepdim=True)).to(mask.dtype)
    return (tokens * is_last).sum(1)


_FUNCTIONS: Mapping[Pooling, Callable[[Tensor, Tensor], Tensor]] = {
    "cls": _cls,
    "mean": _mean,
    "max": _max,
    "last": _last,
    "mean_sqrt_len": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
}
