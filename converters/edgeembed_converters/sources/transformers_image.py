"""A transformers directory with a vision model: ViT, DINOv2, ConvNeXt, Swin and the like."""

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from edgeembed_converters.model_files.before_loading import check_image_directory
from edgeembed_converters.model_files.files import ModelDirectory, card_files
from edgeembed_converters.model_files.image_processors import (
    flips_channels,
    load_processor,
    pixels_by_processor,
    preprocess_of_processor,
)
from edgeembed_converters.model_files.torchvision_transforms import preprocess_of
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base.encoders import ImageSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.text.transformers_text import LoadedModel, load_config, load_model
from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.errors import InputError, UnsupportedModelError

ImagePooling = Literal["pooler", "cls", "mean"]


class PooledFeatures(nn.Module):
    """A transformers vision model as a function from pixels to (n, c) float32."""

    def __init__(self, model: nn.Module, pooling: ImagePooling) -> None:
        """Wrap `model`, which returns `last_hidden_state`, and `pooler_output` for "pooler".

        "mean" averages the patches and leaves out class and register tokens.
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


class FlippedChannels(nn.Module):
    """Feeds RGB to a backbone that was trained on BGR."""

    def __init__(self, backbone: nn.Module) -> None:
        """Wrap `backbone`."""
        super().__init__()
        self.backbone = backbone

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(n, 3, h, w) RGB to the backbone's output."""
        return self.backbone(pixel_values.flip(1))


def load_vision_directory(directory: ModelDirectory, options: SourceOptions) -> ImageSource:
    """Read a transformers vision model with its preprocessor_config.json.

    Raises:
        UnsupportedModelError: it is not an image encoder, or its processor cannot be described.
        ConversionError: files are missing or damaged.
    """
    path = directory.path
    check_image_directory(path, trust_remote_code=options.trust_remote_code)
    config = load_config(path, options.trust_remote_code)
    loaded = load_model(path, options.trust_remote_code)
    pooling, notes = _choose_pooling(loaded, options.pooling)
    backbone: nn.Module = PooledFeatures(loaded.model, pooling)
    processor: Any = None
    if options.preprocess is None:
        processor = load_processor(path, options.trust_remote_code)
        if flips_channels(processor):
            backbone = FlippedChannels(backbone)
        preprocess = preprocess_of_processor(processor, str(path))
        if flips_channels(processor) and len({*preprocess.mean, *preprocess.std}) > 2:
            raise UnsupportedModelError(
                f"{path}: channels that are flipped and then scaled by different numbers"
            )
    elif isinstance(options.preprocess, Preprocess):
        preprocess = options.preprocess
    else:
        preprocess = preprocess_of(options.preprocess)
    return ImageSource(
        name=options.name or directory.name,
        source=directory.source(),
        backbone=backbone.eval(),
        model_type=str(config.model_type),
        preprocess=preprocess,
        pooling=pooling,
        head=nn.Sequential(Normalize()) if options.normalize else nn.Sequential(),
        normalized=bool(options.normalize),
        original_pixels=None if processor is None else pixels_by_processor(processor),
        notes=notes,
        card_files=card_files(path),
    )


def _choose_pooling(loaded: LoadedModel, asked: str | None) -> tuple[ImagePooling, tuple[str, ...]]:
    """How to pool a model, and what the user should know about it.

    By default: the model's own pooler if its files have the weights; else the class token if there
    is one; else the mean of the patches.

    Raises:
        InputError: a pooling that vision models do not have.
    """
    if asked is not None:
        if asked not in ("cls", "mean"):
            raise InputError(f"pooling: expected cls or mean for a vision model, got {asked!r}")
        return cast(ImagePooling, asked), ()
    if loaded.has_pooler and _returns_pooled(loaded.model):
        return "pooler", ()
    has_class = any("cls_token" in name for name, _ in loaded.model.named_parameters())
    chosen: ImagePooling = "cls" if has_class else "mean"
    return chosen, (f"the model has no trained pooler: {chosen} was assumed; pass pooling",)


def _returns_pooled(model: nn.Module) -> bool:
    config = cast(Any, model).config
    side = getattr(config, "image_size", None) or 224
    height, width = side if isinstance(side, list | tuple) else (side, side)
    with torch.no_grad():
        output = cast(Any, model)(pixel_values=torch.zeros(1, 3, height, width))
    return getattr(output, "pooler_output", None) is not None


def _patch_size(model: nn.Module) -> int:
    patch = getattr(cast(Any, model).config, "patch_size", None) or 1
    return int(patch[0] if isinstance(patch, list | tuple) else patch)
