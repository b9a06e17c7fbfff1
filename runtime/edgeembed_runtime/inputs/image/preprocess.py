"""Preprocessing of RGB images by a bundle's settings, with Pillow and numpy only.

Resizing uses Pillow's own filters, like torchvision on PIL images, timm and transformers' PIL-based
processors; pixels are bit-identical to theirs.
"""

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.bundle.preprocess import Interpolation

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

Size = tuple[int, int]  # (width, height), Pillow's order
# Resizing a strip of 60,000 x 1 pixels can make it millions wide; above this, only the part that
# the center crop keeps is computed.
_MAX_RESIZED_PIXELS = 8_000_000
# Where the aspect is kept, what lies between is no larger than the image or the result.
_MAX_BETWEEN_PIXELS = 50_000_000


def pixel_values(image: "Image", settings: Preprocess) -> NDArray[np.float32]:
    """Return the network's input for one image: (3, height, width) float32."""
    fitted = np.asarray(_fitted(_resized(image, settings), settings))
    table = _table(settings.rescale, settings.mean, settings.std)
    values = np.empty((3, *settings.size), np.float32)
    for channel in range(3):
        np.take(table[channel], fitted[:, :, channel], out=values[channel], mode="clip")
    return values


def max_target_side(settings: Preprocess) -> int:
    """Return the largest side in the settings, in pixels; the aspect ratio may require more."""
    return max(*settings.size, settings.resize_to or 1)


def resized_size(size: Size, settings: Preprocess) -> Size:
    """Return the width and height that an image of `size` is resized to."""
    height, width = settings.size
    match settings.resize:
        case "squash":
            side = settings.resize_to
            return (width, height) if side is None else (side, side)
        case "none":
            return size
        case "shortest":
            target, side = settings.resize_to or min(width, height), min(size)
        case "longest":
            target, side = settings.resize_to or max(width, height), max(size)
    if settings.rounding == "timm":
        return _scaled(size[0], target, side), _scaled(size[1], target, side)
    return max(1, target * size[0] // side), max(1, target * size[1] // side)


def _scaled(length: int, target: int, side: int) -> int:
    return max(1, round(length / (side / target)))


def _resized(image: "Image", settings: Preprocess) -> "Image":
    size = resized_size(image.size, settings)
    if size == image.size:
        return image
    filter_ = _filter(settings.interpolation)
    # Pillow resizes rows first: 1 x 65,000 to a square of 4096 would pass through 4096 x 65,000.
    if settings.resize == "squash" and size[0] * image.height > _MAX_BETWEEN_PIXELS:
        image = image.resize((image.width, size[1]), filter_)
    if size[0] * size[1] <= _MAX_RESIZED_PIXELS or settings.resize == "squash":
        return image.resize(size, filter_)
    height, width = settings.size
    crop = min(size[0], width), min(size[1], height)
    left, top = ((size[0] - crop[0]) / 2, (size[1] - crop[1]) / 2)
    scale_x, scale_y = image.width / size[0], image.height / size[1]
    box = (left * scale_x, top * scale_y, (left + crop[0]) * scale_x, (top + crop[1]) * scale_y)
    return image.resize(crop, filter_, box=box)


def _fitted(image: "Image", settings: Preprocess) -> "Image":
    """Center-crop the image, padding it where it is too small."""
    height, width = settings.size
    if image.size == (width, height):
        return image
    left = _margin(image.width, width, settings.rounding == "transformers")
    top = _margin(image.height, height, settings.rounding == "transformers")
    cropped = image.crop(
        (
            max(left, 0),
            max(top, 0),
            min(left + width, image.width),
            min(top + height, image.height),
        )
    )
    if cropped.size == (width, height):
        return cropped
    from PIL import Image

    canvas = Image.new("RGB", (width, height), settings.pad)
    canvas.paste(cropped, (max(-left, 0), max(-top, 0)))
    return canvas


def _margin(length: int, target: int, rounds_down: bool) -> int:
    """Return how many leading pixels the center crop removes; negative: how many it pads."""
    excess = length - target
    if excess < 0:
        return -(-excess // 2) if not rounds_down else -math.ceil(-excess / 2)
    return excess // 2 if rounds_down else round(excess / 2)


@functools.lru_cache(maxsize=16)
def _table(rescale: float, mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """Return the normalized value of each of 256 levels per channel: (3, 256) float32."""
    values = (np.arange(256) * rescale).astype(np.float32)
    shift, scale = np.array(mean, np.float32)[:, None], np.array(std, np.float32)[:, None]
    return (values - shift) / scale


def _filter(interpolation: Interpolation) -> "Resampling":
    from PIL.Image import Resampling

    return {
        "nearest": Resampling.NEAREST,
        "bilinear": Resampling.BILINEAR,
        "bicubic": Resampling.BICUBIC,
        "lanczos": Resampling.LANCZOS,
    }[interpolation]
