"""Narrow a transformer to its most important directions, heads and neurons.

For the BERT family, which shares module names. The result is an initialization for training, not a
usable model: layer normalization does not commute with a change of basis.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgeembed_converters.distill.student.layers import layer_names
from edgeembed_converters.distill.teaching.projection import principal_directions
from edgeembed_runtime.errors import InputError, UnsupportedModelError

FAMILY = ("bert", "roberta", "xlm-roberta", "camembert")
# Token vectors to compute directions from: enough for any width.
_MAX_TOKENS = 50_000


def check_width(model: nn.Module, width: int) -> None:
    """Refuse a width that a model cannot be narrowed to.

    Raises:
        InputError: it is not a multiple of the head size, or not below the teacher's width.
        UnsupportedModelError: the model is not of the BERT family.
    """
    config: Any = getattr(model, "config", None)
    if getattr(config, "model_type", None) not in FAMILY:
        raise UnsupportedModelError(
            f"width: expected a model of {', '.join(FAMILY)}, got {type(model).__name__}"
        )
    head = config.hidden_size // config.num_attention_heads
    if width % head or not head <= width < config.hidden_size:
        raise InputError(
            f"width: expected a multiple of {head}, the size of a head, below the teacher's "
            f"{config.hidden_size}, got {width}"
        )


@torch.no_grad()
def narrowed(model: nn.Module, width: int, ids: Sequence[Tensor]) -> tuple[nn.Module, Tensor]:
    """A copy of a model with hidden states of `width`, and their basis (h, width).

    Heads keep their size, so `width` must be a multiple of it. The numbers of heads and neurons
    shrink in proportion to the width; those with the largest weights stay.

    Raises:
        InputError, UnsupportedModelError: as `check_width`.
    """
    check_width(model, width)
    config: Any = model.config
    head = config.hidden_size // config.num_attention_heads
    basis, share = principal_directions(_token_vectors(model, ids), width)
    small = copy.deepcopy(config)
    small.hidden_size = width
    small.num_attention_heads = width // head
    small.intermediate_size = max(1, config.intermediate_size * width // config.hidden_size)
    made: Any = type(model)(small, **_without_pooler(model))
    made.load_state_dict(_narrow_state(model, small, basis, share), strict=True)
    return made.eval(), basis


def _without_pooler(model: nn.Module) -> dict[str, bool]:
    return {} if getattr(model, "pooler", None) is not None else {"add_pooling_layer": False}


def _token_vectors(model: nn.Module, ids: Sequence[Tensor]) -> Tensor:
    """The hidden states of all layers, text by text: (n, h)."""
    found: list[Tensor] = []
    for each in ids:
        states = model(
            input_ids=each[None, :],
            attention_mask=torch.ones_like(each)[None, :],
            output_hidden_states=True,
        ).hidden_states
        found += [state[0] for state in states]
        if sum(map(len, found)) > _MAX_TOKENS:
            break
    return torch.cat(found)


def _narrow_state(model: nn.Module, small: Any, basis: Tensor, share: float) -> dict[str, Tensor]:
    old: Mapping[str, Tensor] = model.state_dict()
    # A normalized vector has length sqrt(width); the part that the basis keeps had length
    # sqrt(share * old width).
    scale = (share * basis.shape[0] / basis.shape[1]) ** 0.5
    found: dict[str, Tensor] = {}
    for name, value in old.items():
        layer = next((each for each in layer_names(model) if name.startswith(f"{each}.")), None)
        rows = _kept_rows(old, layer, small) if layer else {}
        found[name] = _narrow(name, value, basis, scale, rows)
    return found


def _kept_rows(old: Mapping[str, Tensor], layer: str, small: Any) -> dict[str, Tensor]:
    """Which attention outputs and which neurons a layer keeps."""
    value = old[f"{layer}.attention.self.value.weight"]
    out = old[f"{layer}.attention.output.dense.weight"]
    head = small.hidden_size // small.num_attention_heads
    by_head = (value.norm(dim=1) * out.norm(dim=0)).reshape(-1, head).sum(dim=1)
    heads = by_head.topk(small.num_attention_heads).indices.sort().values
    up = old[f"{layer}.intermediate.dense.weight"]
    down = old[f"{layer}.output.dense.weight"]
    neurons = (up.norm(dim=1) * down.norm(dim=0)).topk(small.intermediate_size).indices
    return {
        "heads": (heads[:, None] * head + torch.arange(head)).flatten(),
        "neurons": neurons.sort().values,
    }


def _narrow(
    name: str, value: Tensor, basis: Tensor, scale: float, rows: Mapping[str, Tensor]
) -> Tensor:
    if "LayerNorm" in name:
        if name.endswith("bias"):
            return value @ basis
        return scale * (basis.square() * value[:, None]).sum(dim=0)
    if any(part in name for part in ("self.query", "self.key", "self.value")):
        kept = value[rows["heads"]]
        return kept @ basis if value.ndim == 2 else kept
    if "intermediate.dense" in name:
        kept = value[rows["neurons"]]
        return kept @ basis if value.ndim == 2 else kept
    if name.endswith("output.dense.weight"):
        inputs = rows["heads" if "attention" in name else "neurons"]
        return basis.T @ value[:, inputs]
    if "pooler" in name and value.ndim == 2:
        return basis.T @ value @ basis
    if value.is_floating_point() and value.shape[-1] == basis.shape[0]:
        return value @ basis
    return value
