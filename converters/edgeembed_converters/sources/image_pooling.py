"""From what a transformers vision model gives to one vector for each image."""

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from edgeembed_converters.sources.transformers_text import LoadedModel
from edgeembed_runtime.errors import InputError

ImagePooling = Literal["pooler", "cls", "mean"]


class PooledFeatures(nn.Module):
    """A transformers vision model as a function from pixels to (n, c) float32."""

    def __init__(self, model: nn.Module, pooling: ImagePooling) -> None:
        """Wrap `model`, which gives `last_hidden_state`, and `pooler_output` if it is to be used.

        "mean" is over the patches: tokens that stand for no place of the image are left out.
        """
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.patch = _patch_size(model)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(n, 3, h, w) float32 to (n, c)."""
        output = cast(Any, self.model)(pixel_values=pixel_values)
        if self.pooling == "pooler":
            return output.pooler_output.flatten(1)
        hidden = output.last_hidden_state
        if hidden.ndim == 4:
            return hidden.mean((2, 3))
        if self.pooling == "cls":
            return hidden[:, 0]
        height, width = (side // self.patch for side in pixel_values.shape[2:])
        extra = max(0, hidden.shape[1] - height * width)
        # Some models merge patches, so that there are fewer than the image has.
        return hidden[:, extra if extra < hidden.shape[1] else 0 :].mean(1)


def image_pooling(loaded: LoadedModel, asked: str | None) -> tuple[ImagePooling, tuple[str, ...]]:
    """How a model is pooled, and what the user should know of it.

    Its own pooler if its files have one; else its first token, if that stands for the image as a
    whole; else the mean of its patches.

    Raises:
        InputError: pooling that images do not have.
    """
    if asked is not None:
        if asked not in ("cls", "mean"):
            raise InputError(f"pooling: expected cls or mean for a vision model, got {asked!r}")
        return cast(ImagePooling, asked), ()
    if loaded.has_pooler and _gives_pooled(loaded.model):
        return "pooler", ()
    has_class = any("cls_token" in name for name, _ in loaded.model.named_parameters())
    chosen: ImagePooling = "cls" if has_class else "mean"
    return chosen, (f"the model has no trained pooler: {chosen} was assumed; pass pooling",)


def _gives_pooled(model: nn.Module) -> bool:
    config = cast(Any, model).config
    side = getattr(config, "image_size", None) or 224
    height, width = side if isinstance(side, list | tuple) else (side, side)
    with torch.no_grad():
        output = cast(Any, model)(pixel_values=torch.zeros(1, 3, height, width))
    return getattr(output, "pooler_output", None) is not None


def _patch_size(model: nn.Module) -> int:
    patch = getattr(cast(Any, model).config, "patch_size", None) or 1
    return int(patch[0] if isinstance(patch, list | tuple) else patch)
