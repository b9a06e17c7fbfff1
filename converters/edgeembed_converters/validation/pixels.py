"""Image files as pixels: preprocessed by the runtime, or by the original library."""

import importlib.util
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeembed_converters.sources.base.encoders import ImageSource
from edgeembed_converters.validation.probe_images import calibration_images
from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.errors import InputError, MissingExtraError
from edgeembed_runtime.inputs.image.decode import decode, plan_decoding
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, open_image
from edgeembed_runtime.inputs.image.preprocess import max_target_side, pixel_values

# A folder of images, or images as `Encoder.encode_image` takes them.
ImageInputs = str | Path | Sequence[Any]
# More would cost memory (0.6 MB each at 224 pixels) and change no measured range.
_MAX_IMAGES = 160
_MEASURED_STEP, _MIN_TO_MEASURE = 4, 16
_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"))


def runtime_pixels(image: Any, preprocess: Preprocess) -> NDArray[np.float32]:
    """An image as preprocessed by the runtime: (1, 3, h, w) float32.

    Raises:
        InputError: it is not an image, or damaged.
    """
    side = max_target_side(preprocess)
    with open_image(image) as opened:
        upright = decode(opened, plan_decoding(opened, DEFAULT_MAX_PIXELS, side), side)
        return pixel_values(upright, preprocess)[None]


def require_pillow() -> None:
    """Fail early without Pillow.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("PIL") is None:
        raise MissingExtraError.for_extra("converting image models", "image")


def original_pixels(source: ImageSource, file: bytes) -> Tensor:
    """An image file as preprocessed by the original library: (1, 3, h, w) float32.

    Opened as transformers does: by Pillow, rotated according to EXIF, in RGB. If the source has no
    processor of its own, these are the runtime's pixels.
    """
    from PIL import Image, ImageOps

    if source.original_pixels is None:
        return torch.from_numpy(runtime_pixels(file, source.preprocess))
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    return source.original_pixels(image.convert("RGB")).float()


@dataclass(frozen=True, kw_only=True)
class PixelSets:
    """Preprocessed images, (1, 3, h, w) each: some to calibrate on, others to measure on."""

    calibration: Sequence[NDArray[np.float32]] = ()
    measured: Sequence[NDArray[np.float32]] = ()


def pixel_sets(images: ImageInputs | None, preprocess: Preprocess) -> PixelSets:
    """Split the user's images: one in four to measure on; by default, made-up ones to calibrate on.

    More than 160 images are subsampled evenly; with fewer than 16, none is measured on.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    if images is None:
        made = [runtime_pixels(each, preprocess) for each in calibration_images()]
        return PixelSets(calibration=made)
    chosen = listed(images, "calibration_images")
    if not chosen:
        raise InputError("calibration_images: expected at least one image, got none")
    step = -(-len(chosen) // _MAX_IMAGES)
    pixels = [runtime_pixels(each, preprocess) for each in chosen[::step]]
    if len(pixels) < _MIN_TO_MEASURE:
        return PixelSets(calibration=pixels)
    measured = pixels[::_MEASURED_STEP]
    del pixels[::_MEASURED_STEP]
    return PixelSets(calibration=pixels, measured=measured)


def listed(images: ImageInputs, name: str) -> list[Any]:
    """The images of a folder and its subfolders, sorted by path, or those of a list.

    Raises:
        InputError: there is no such folder; the message calls it `name`.
    """
    if not isinstance(images, str | os.PathLike):
        return list(cast(Iterable[Any], images))
    folder = Path(images)
    if not folder.is_dir():
        raise InputError(f"{name}: expected a folder or a list of images, found no folder {folder}")
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES]
