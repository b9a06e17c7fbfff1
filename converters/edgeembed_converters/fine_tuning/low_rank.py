"""LoRA: train a small change of low rank to each linear layer, and add it to the weights."""

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from edgeembed_runtime.errors import InputError, UnsupportedModelError

_CHANGED = ".parametrizations.weight."
# The usual scale, alpha / rank, with alpha = 2 * rank.
_SCALE = 2.0


class LowRank(nn.Module):
    """A weight (out, in) plus `up` (out, rank) times `down` (rank, in); at first plus nothing.

    Source: Hu et al., LoRA (2021), https://arxiv.org/abs/2106.09685.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        """Make both factors, on the device of `weight`."""
        super().__init__()
        self.down = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        return weight + _SCALE * (self.up @ self.down)


@contextmanager
def low_rank(module: nn.Module, rank: int | None, seed: int) -> Generator[None]:
    """Within the block, only low-rank changes of linear layers are trained; then they are merged.

    Without a rank, nothing changes.

    Raises:
        InputError: the rank is not below the layers' widths.
        UnsupportedModelError: there are no linear layers.
    """
    if rank is None:
        yield
        return
    layers = [each for each in module.modules() if isinstance(each, nn.Linear)]
    if not layers:
        raise UnsupportedModelError("lora_rank: expected a model with linear layers, found none")
    narrowest = min(min(layer.weight.shape) for layer in layers)
    if not 1 <= rank < narrowest:
        raise InputError(
            f"lora_rank: expected 1 to {narrowest - 1}, below the narrowest layer's width, "
            f"got {rank}"
        )
    module.requires_grad_(False)
    torch.manual_seed(seed)
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))
    try:
        yield
    finally:
        for layer in layers:
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def merged_state(module: nn.Module) -> Mapping[str, Tensor]:
    """The state of a module with its changes merged, within the block of `low_rank` too."""
    found: dict[str, Tensor] = {}
    for name, tensor in module.state_dict().items():
        layer, changed, part = name.partition(_CHANGED)
        if not changed:
            found[name] = tensor
        elif part == "original":
            weight = module.get_submodule(layer).weight
            assert isinstance(weight, Tensor)
            found[f"{layer}.weight"] = weight.detach()
    return found
