"""timm models: live ones, and directories that timm saved for the Hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard, cast

import torch
from torch import Tensor, nn

from edgeembed_converters.model_files.before_loading import check_image_directory
from edgeembed_converters.model_files.files import (
    ModelDirectory,
    card_files,
    read_json,
)
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base.encoders import ImageSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.live_image import preprocess_and_pixels, try_backbone
from edgeembed_converters.sources.text.live_text import state_sha256
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle import Source
from edgeembed_runtime.errors import ConversionError, MissingExtraError, UnsupportedModelError


class TimmFeatures(nn.Module):
    """A timm model without its classifier: its own pooled features."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap `model`, with its re-parameterized branches merged into one."""
        super().__init__()
        self.model = merged_branches(model)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(n, 3, h, w) float32 to (n, c)."""
        model = cast(Any, self.model)
        return model.forward_head(model.forward_features(pixel_values), pre_logits=True)


def is_timm_model(module: object) -> TypeGuard[nn.Module]:
    """Whether `module` is a live timm model. Does not import timm."""
    from_timm = any(kind.__module__.startswith("timm.") for kind in type(module).mro())
    return from_timm and hasattr(module, "forward_features")


def merged_branches(model: nn.Module) -> nn.Module:
    """A copy with training-time branches merged (MobileOne, FastViT): equal, but fewer layers.

    Uses timm's `reparameterize_model`. Returns the model itself if it has no such branches.
    """
    names = ("reparameterize", "fuse", "switch_to_deploy")
    if not any(callable(getattr(part, name, None)) for part in model.modules() for name in names):
        return model
    from timm.utils.model import reparameterize_model

    return reparameterize_model(model).eval()


def load_timm_module(module: nn.Module, options: SourceOptions) -> ImageSource:
    """Take a live timm model; its data configuration defines the preprocessing.

    Raises:
        UnsupportedModelError: its transform cannot be described, or it returns no vector.
    """
    name = options.name or str(getattr(module, "pretrained_cfg", {}).get("architecture") or "timm")
    source = Source(id=name, weights_sha256=state_sha256(module))
    return _image_source(module, options, name, source, {})


def load_timm_directory(directory: ModelDirectory, options: SourceOptions) -> ImageSource:
    """Read a directory with timm's config.json and model.safetensors.

    Raises:
        MissingExtraError: timm is not installed.
        UnsupportedModelError: it names a model that is elsewhere.
        ConversionError: files are missing or damaged.
    """
    path = directory.path
    check_image_directory(path, trust_remote_code=options.trust_remote_code)
    config = read_json(path / "config.json")
    _check_stays(path, config)
    source = directory.source(fallback_license=config.get("license"))
    name = options.name or directory.name
    return _image_source(_created(path, config), options, name, source, card_files(path))


def _created(directory: Path, config: Mapping[str, Any]) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError(
            f"{directory}: a timm model needs timm: pip install timm"
        ) from error
    from safetensors.torch import load_file

    weights = directory / "model.safetensors"
    if not weights.is_file():
        weights = directory / "pytorch_model.bin"
    try:
        # Older versions of timm did not save the number of classes with the arguments.
        arguments = {"num_classes": config.get("num_classes", 1000)} | config.get("model_args", {})
        model = timm.create_model(
            str(config["architecture"]),
            pretrained=False,
            pretrained_cfg=config.get("pretrained_cfg"),
            **arguments,
        )
        if weights.suffix == ".safetensors":
            state = load_file(weights)
        else:
            state = torch.load(weights, map_location="cpu", weights_only=True)
        model.load_state_dict(state)
    except Exception as error:  # whatever a damaged file makes timm raise
        raise ConversionError(
            f"{directory}: timm could not load it: {first_line(error)}"
        ) from error
    return model


def _check_stays(directory: Path, config: Mapping[str, Any]) -> None:
    """Timm follows "hf-hub:name" and "local-dir:path", and loads what a checkpoint_path names."""
    architecture, arguments = str(config["architecture"]), config.get("model_args") or {}
    elsewhere = [name for name in ("checkpoint_path", "cache_dir") if name in arguments]
    if ":" in architecture or elsewhere:
        raise UnsupportedModelError(
            f"{directory / 'config.json'}: names a model that is elsewhere: "
            f"{', '.join(elsewhere) or architecture!r:.80}; pass that one's directory"
        )


def _image_source(
    module: nn.Module,
    options: SourceOptions,
    name: str,
    source: Source,
    cards: Mapping[str, Path],
) -> ImageSource:
    transform = options.preprocess
    if transform is None:
        transform = own_transform(module)
    preprocess, original = preprocess_and_pixels(transform)
    if options.pooling is not None:
        raise UnsupportedModelError("pooling: a timm model has its own; create it with global_pool")
    backbone = TimmFeatures(module.eval()).eval()
    try_backbone(backbone, preprocess)
    return ImageSource(
        name=name,
        source=source,
        backbone=backbone,
        model_type="timm",
        preprocess=preprocess,
        pooling=str(getattr(module, "global_pool", "") or ""),
        head=nn.Sequential(Normalize()) if options.normalize else nn.Sequential(),
        normalized=bool(options.normalize),
        original_pixels=original,
        card_files=cards,
    )


def own_transform(module: nn.Module) -> Any:
    """The evaluation transform of a timm model."""
    from timm.data import create_transform, resolve_model_data_config

    return create_transform(**resolve_model_data_config(module), is_training=False)
