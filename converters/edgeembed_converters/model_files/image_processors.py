"""transformers' image processors, translated to a bundle's Preprocess."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from edgeembed_converters.model_files.files import leads_outside, read_json
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle.preprocess import Interpolation, Preprocess
from edgeembed_runtime.bundle.signature import PIXEL_VALUES
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError

# A library's own preprocessing: an RGB Pillow image to (1, 3, h, w) float32.
OriginalPixels = Callable[[Any], Tensor]
PROCESSOR_FILE = "preprocessor_config.json"
# Newer versions of transformers save it here if there is a text processor too.
_COMBINED_FILE = "processor_config.json"
_FILTERS: Mapping[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
# ConvNeXT's processors center-crop below this size, and squash from it on.
_CONVNEXT_SQUASHED = 384


def has_processor(directory: Path) -> bool:
    """Whether a directory has an image processor."""
    path = directory / _COMBINED_FILE
    combined = {} if leads_outside(directory, path) else read_json(path)
    return (directory / PROCESSOR_FILE).is_file() or "image_processor" in combined


def load_processor(directory: Path, trust_remote_code: bool) -> Any:
    """The image processor of a transformers directory, in its Pillow version.

    Raises:
        ConversionError: there is none, or it cannot be loaded.
    """
    from transformers import AutoImageProcessor

    if not has_processor(directory):
        raise ConversionError(
            f"{directory}: expected {PROCESSOR_FILE}, which says how images are prepared, found "
            "none; pass preprocess="
        )
    which = _pillow_backend()
    try:
        return AutoImageProcessor.from_pretrained(
            directory, local_files_only=True, trust_remote_code=trust_remote_code, **which
        )
    except Exception as error:  # whatever a damaged file makes transformers raise
        raise ConversionError(
            f"{directory}: could not load {PROCESSOR_FILE}: {first_line(error)}"
        ) from error


def pixels_by_processor(processor: Any) -> OriginalPixels:
    """A transformers processor as `OriginalPixels`; always RGB."""

    def original(image: Any) -> Tensor:
        pixels = processor(images=image, return_tensors="pt")[PIXEL_VALUES]
        return pixels.flip(1) if flips_channels(processor) else pixels

    return original


def preprocess_of_processor(processor: Any, where: str) -> Preprocess:
    """The Preprocess that is equivalent to an image processor.

    Raises:
        UnsupportedModelError: there is none.
    """
    filter_id = int(getattr(processor, "resample", None) or 0)
    if filter_id not in _FILTERS:
        raise UnsupportedModelError(f"{where}: resample {filter_id}: expected 0 to 3")
    geometry = _geometry(processor)
    if geometry.get("size") is None:
        raise UnsupportedModelError(
            f"{where}: size {_sides(processor, 'size')}, crop {_sides(processor, 'crop_size')}: "
            "expected a height and a width, or the shortest edge and a crop; pass preprocess="
        )
    return Preprocess(
        **geometry,
        interpolation=_FILTERS[filter_id],
        rounding="transformers",
        **_values(processor),
    )


def flips_channels(processor: Any) -> bool:
    """Whether the processor returns BGR."""
    return bool(getattr(processor, "do_flip_channel_order", False))


def _pillow_backend() -> dict[str, Any]:
    from importlib.metadata import version

    if int(version("transformers").split(".")[0]) >= 5:
        return {"backend": "pil"}
    return {"use_fast": False}


def _geometry(processor: Any) -> dict[str, Any]:
    """resize, resize_to, size and crop; without a size if there is no equivalent."""
    size, crop = _sides(processor, "size"), _both(_sides(processor, "crop_size"))
    cropped = bool(getattr(processor, "do_center_crop", False))
    if not getattr(processor, "do_resize", True):
        return {"resize": "none", "size": crop if cropped else None, "crop": "center"}
    if set(size) == {"shortest_edge"}:
        return _by_shortest(processor, size["shortest_edge"], crop if cropped else None)
    square = _both(size)
    if cropped and crop != square:
        return {}
    return {"resize": "squash", "size": square, "crop": "none"}


def _by_shortest(processor: Any, shortest: int, crop: tuple[int, int] | None) -> dict[str, Any]:
    fraction = getattr(processor, "crop_pct", None)
    if fraction is None:
        return {"resize": "shortest", "resize_to": shortest, "size": crop, "crop": "center"}
    square = (shortest, shortest)
    if shortest >= _CONVNEXT_SQUASHED:
        return {"resize": "squash", "size": square, "crop": "none"}
    side = int(shortest / fraction)
    return {"resize": "shortest", "resize_to": side, "size": square, "crop": "center"}


def _values(processor: Any) -> dict[str, Any]:
    """rescale, mean and std; EfficientNet's processor has two special rules."""
    rescale = float(processor.rescale_factor) if processor.do_rescale else 1.0
    mean, std = (0.0,) * 3, (1.0,) * 3
    if processor.do_normalize:
        mean, std = _three(processor.image_mean), _three(processor.image_std)
        if getattr(processor, "include_top", False):
            std = tuple(value * value for value in std)
    if getattr(processor, "rescale_offset", False):
        mean = tuple(value + 1 for value in mean)
    return {"rescale": rescale, "mean": mean, "std": std}


def _sides(processor: Any, name: str) -> dict[str, int]:
    size = getattr(processor, name, None)
    if size is None:
        return {}
    items = dict(size) if isinstance(size, Mapping) else dict(vars(size))
    return {str(key): int(value) for key, value in items.items() if value is not None}


def _both(size: Mapping[str, int]) -> tuple[int, int] | None:
    return (size["height"], size["width"]) if {"height", "width"} <= size.keys() else None


def _three(values: Any) -> tuple[float, ...]:
    return (float(values),) * 3 if isinstance(values, int | float) else tuple(map(float, values))
