"""A transformers directory of a vision model: ViT, DINOv2, ConvNeXt, Swin and their kin."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from edgeembed_converters.model_files.files import card_files, license_of, weights_sha256
from edgeembed_converters.model_files.image_processors import (
    flips_channels,
    load_processor,
    pixels_by_processor,
    preprocess_of_processor,
)
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base import ImageSource
from edgeembed_converters.sources.image_pooling import PooledFeatures, image_pooling
from edgeembed_converters.sources.options import SourceOptions
from edgeembed_converters.sources.transformers_text import load_config, load_model
from edgeembed_runtime.bundle import Preprocess, Source
from edgeembed_runtime.errors import UnsupportedModelError


class FlippedChannels(nn.Module):
    """A backbone that takes blue, green, red, fed with red, green, blue."""

    def __init__(self, backbone: nn.Module) -> None:
        """Wrap `backbone`."""
        super().__init__()
        self.backbone = backbone

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(n, 3, h, w) in red, green, blue to what the backbone gives."""
        return self.backbone(pixel_values.flip(1))


def load_vision_directory(
    directory: Path, options: SourceOptions, *, source_id: str | None, revision: str | None
) -> ImageSource:
    """Read a transformers vision model with its preprocessor_config.json.

    Raises:
        UnsupportedModelError: it is no encoder of images, or its processor cannot be described.
        ConversionError: files are missing or damaged.
    """
    config = load_config(directory, options.trust_remote_code)
    loaded = load_model(directory, options.trust_remote_code)
    pooling, notes = image_pooling(loaded, options.pooling)
    backbone: nn.Module = PooledFeatures(loaded.model, pooling)
    processor: Any = None
    if options.preprocess is None:
        processor = load_processor(directory, options.trust_remote_code)
        if flips_channels(processor):
            backbone = FlippedChannels(backbone)
        preprocess = preprocess_of_processor(processor, str(directory))
        if flips_channels(processor) and len({*preprocess.mean, *preprocess.std}) > 2:
            raise UnsupportedModelError(
                f"{directory}: channels that are flipped and then scaled by unlike numbers"
            )
    else:
        preprocess = declared(options.preprocess)
    return ImageSource(
        name=options.name or (source_id or directory.absolute().name).rpartition("/")[2],
        source=Source(
            id=source_id or directory.absolute().name,
            revision=revision,
            weights_sha256=weights_sha256(directory),
            license=license_of(directory),
        ),
        backbone=backbone.eval(),
        model_type=str(config.model_type),
        preprocess=preprocess,
        pooling=pooling,
        head=nn.Sequential(Normalize()) if options.normalize else nn.Sequential(),
        normalized=bool(options.normalize),
        original_pixels=None if processor is None else pixels_by_processor(processor),
        notes=notes,
        card_files=card_files(directory),
    )


def declared(preprocess: Any) -> Preprocess:
    """What the user said of the preprocessing: a Preprocess, or a transform that is read as one.

    Raises:
        UnsupportedModelError: a transform that cannot be described.
    """
    from edgeembed_converters.model_files.torchvision_transforms import preprocess_of

    return preprocess if isinstance(preprocess, Preprocess) else preprocess_of(preprocess)
