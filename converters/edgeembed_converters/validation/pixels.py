"""Picture files as pixels: by the runtime, and by the library that a model comes from."""

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

from edgeembed_converters.probe_pictures import calibration_pictures
from edgeembed_converters.sources.source import ImageSource
from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.errors import InputError, MissingExtraError
from edgeembed_runtime.inputs.decoding import decode, plan_decoding
from edgeembed_runtime.inputs.pictures import DEFAULT_MAX_PIXELS, open_picture
from edgeembed_runtime.inputs.preprocess import longest_wanted_side, pixel_values

# A folder of pictures, or pictures as `Encoder.encode_image` takes them.
Pictures = str | Path | Sequence[Any]
# More would cost memory (0.6 MB each at 224 pixels) and change no range that is measured.
_MOST_PICTURES = 160
_ONE_IN, _FEW_PICTURES = 4, 16
_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"))


def runtime_pixels(picture: Any, preprocess: Preprocess) -> NDArray[np.float32]:
    """A picture as the runtime prepares it for a graph: (1, 3, h, w) float32.

    Raises:
        InputError: it is no picture, or damaged.
    """
    side = longest_wanted_side(preprocess)
    with open_picture(picture) as opened:
        upright = decode(opened, plan_decoding(opened, DEFAULT_MAX_PIXELS, side), side)
        return pixel_values(upright, preprocess)[None]


def require_pillow() -> None:
    """Refuse to go on without Pillow.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("PIL") is None:
        raise MissingExtraError.for_extra("converting models of pictures", "image")


def original_pixels(source: ImageSource, file: bytes) -> Tensor:
    """A picture file as the original library prepares it: (1, 3, h, w) float32.

    Opened as transformers opens pictures: by Pillow, turned as EXIF says, in RGB. Where a source
    has no processor of its own, the runtime's pixels.
    """
    from PIL import Image, ImageOps

    if source.original_pixels is None:
        return torch.from_numpy(runtime_pixels(file, source.preprocess))
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    return source.original_pixels(picture.convert("RGB")).float()


@dataclass(frozen=True, kw_only=True)
class PixelSets:
    """Prepared pictures, (1, 3, h, w) each: to calibrate on, and others to measure on."""

    calibration: Sequence[NDArray[np.float32]] = ()
    measured: Sequence[NDArray[np.float32]] = ()


def pixel_sets(pictures: Pictures | None, preprocess: Preprocess) -> PixelSets:
    """The pictures given, one in four to measure on; or some to calibrate on, made by code.

    Of more than 160, every so many are taken; of few, none is measured on.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    if pictures is None:
        made = [runtime_pixels(each, preprocess) for each in calibration_pictures()]
        return PixelSets(calibration=made)
    chosen = listed(pictures, "calibration_images")
    if not chosen:
        raise InputError("calibration_images: expected at least one picture, got none")
    step = -(-len(chosen) // _MOST_PICTURES)
    pixels = [runtime_pixels(each, preprocess) for each in chosen[::step]]
    if len(pixels) < _FEW_PICTURES:
        return PixelSets(calibration=pixels)
    measured = pixels[::_ONE_IN]
    del pixels[::_ONE_IN]
    return PixelSets(calibration=pixels, measured=measured)


def listed(pictures: Pictures, name: str) -> list[Any]:
    """The pictures of a folder and its folders, in order of their names, or those of a list.

    Raises:
        InputError: there is no such folder; the message calls it `name`.
    """
    if not isinstance(pictures, str | os.PathLike):
        return list(cast(Iterable[Any], pictures))
    folder = Path(pictures)
    if not folder.is_dir():
        raise InputError(
            f"{name}: expected a folder or a list of pictures, found no folder {folder}"
        )
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES]
