"""A transformers directory with a text and an image tower: CLIP, SigLIP and the like."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeembed_converters.model_files.before_loading import check_image_directory
from edgeembed_converters.model_files.files import ModelDirectory, card_files
from edgeembed_converters.model_files.image_processors import (
    load_processor,
    pixels_by_processor,
    preprocess_of_processor,
)
from edgeembed_converters.modules.fixed_length import PaddedTo
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base.encoders import DualSource, ImageSource, TextSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.base.witness import TextVectors, Witness
from edgeembed_converters.sources.text.saved_tokenizer import load_tokenizer, tokenizer_json
from edgeembed_converters.sources.text.transformers_text import load_config, load_model
from edgeembed_runtime.bundle import Source
from edgeembed_runtime.errors import UnsupportedModelError

# Trained on texts padded to the full length, without a mask: they read the padding.
_PADDED_TYPES = frozenset(("siglip", "siglip2"))


class TextFeatures(nn.Module):
    """The text tower with its projection."""

    def __init__(self, model: nn.Module, masked: bool) -> None:
        """Wrap `model`, which takes an attention mask if it is `masked`."""
        super().__init__()
        self.model = model
        self.masked = masked

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids and mask to (n, d)."""
        masks = {"attention_mask": attention_mask} if self.masked else {}
        return _features(cast(Any, self.model).get_text_features(input_ids=input_ids, **masks))


class ImageFeatures(nn.Module):
    """The vision tower with its projection."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap `model`."""
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(n, 3, h, w) float32 to (n, d)."""
        return _features(cast(Any, self.model).get_image_features(pixel_values=pixel_values))


def is_dual_config(config: Mapping[str, Any]) -> bool:
    """Whether a config.json describes a model with two towers."""
    return {"text_config", "vision_config"} <= config.keys()


def load_dual_directory(directory: ModelDirectory, options: SourceOptions) -> DualSource:
    """Read a transformers model with text and image features.

    Raises:
        UnsupportedModelError: its towers do not share a vector space.
        ConversionError: files are missing or damaged.
    """
    path = directory.path
    check_image_directory(path, trust_remote_code=options.trust_remote_code)
    config = load_config(path, options.trust_remote_code)
    model = load_model(path, options.trust_remote_code).model
    if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
        raise UnsupportedModelError(
            f"{path}: expected a model with text and image features (CLIP, SigLIP), "
            f"got {type(model).__name__}"
        )
    source = directory.source()
    name = options.name or directory.name
    return DualSource(
        text=_text(path, model, config, options, name, source),
        image=_image(path, model, config, options, name, source),
        **logit_numbers(model),
    )


def logit_numbers(model: nn.Module) -> dict[str, float]:
    """`logit_scale` (the multiplier, not its logarithm) and `logit_bias`, if the model has them."""
    numbers: dict[str, float] = {}
    scale, bias = getattr(model, "logit_scale", None), getattr(model, "logit_bias", None)
    if scale is not None:
        numbers["logit_scale"] = float(scale.detach().exp())
    if bias is not None:
        numbers["logit_bias"] = float(bias.detach())
    return numbers


def _text(
    directory: Path,
    model: nn.Module,
    config: Any,
    options: SourceOptions,
    name: str,
    source: Source,
) -> TextSource:
    tokenizer = load_tokenizer(directory, options.trust_remote_code)
    length = int(config.text_config.max_position_embeddings)
    padded = str(config.model_type) in _PADDED_TYPES
    features: nn.Module = TextFeatures(model, masked=not padded)
    if padded:
        features = PaddedTo(features, length, int(tokenizer.pad_token_id))
    return TextSource(
        name=name,
        source=source,
        backbone=features.eval(),
        model_type=str(config.model_type),
        tokenizer_json=tokenizer_json(tokenizer, directory),
        max_tokens=min(options.max_tokens or length, length),
        pooling=(),
        head=nn.Sequential(Normalize()),
        normalized=True,
        witness=Witness(
            made_by=f"transformers {version('transformers')}",
            encode=_own_vectors(
                model, tokenizer, min(options.max_tokens or length, length), length if padded else 0
            ),
        ),
        prompts=dict(options.prompts or {}),
        directory=directory,
    )


def _own_vectors(model: nn.Module, tokenizer: Any, limit: int, padded_to: int) -> TextVectors:
    """The library's own features of texts cut at `limit`; 0 leaves them unpadded."""

    def encode(texts: list[str]) -> NDArray[np.float32]:
        batch = tokenizer(texts, padding=True, truncation=True, max_length=limit)
        if padded_to:
            batch = tokenizer.pad(batch, padding="max_length", max_length=padded_to)
        batch = batch.convert_to_tensors("pt")
        masks = {} if padded_to else {"attention_mask": batch["attention_mask"]}
        with torch.no_grad():
            found = cast(Any, model).get_text_features(input_ids=batch["input_ids"], **masks)
        return nn.functional.normalize(_features(found), dim=-1).numpy()

    return encode


def _image(
    directory: Path,
    model: nn.Module,
    config: Any,
    options: SourceOptions,
    name: str,
    source: Source,
) -> ImageSource:
    processor = load_processor(directory, options.trust_remote_code)
    return ImageSource(
        name=name,
        source=source,
        backbone=ImageFeatures(model).eval(),
        model_type=str(config.model_type),
        preprocess=preprocess_of_processor(processor, str(directory)),
        pooling="",
        head=nn.Sequential(Normalize()),
        normalized=True,
        original_pixels=pixels_by_processor(processor),
        card_files=card_files(directory),
    )


def _features(output: Any) -> Tensor:
    # A tensor in transformers 4; an object that holds it in transformers 5.
    return output if isinstance(output, Tensor) else output.pooler_output
