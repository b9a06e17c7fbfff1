"""Decoding an opened image to upright 8-bit RGB, in bounded memory.

This follows the libraries that models are trained with: only the first frame of an animation is
used, alpha is dropped (revealing the colors beneath), CMYK is converted without a profile, and
embedded color profiles are ignored. It improves on them twice: the EXIF orientation is applied, and
16-bit grayscale is scaled to 8 bits, where Pillow would clip it to white.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.open import JPEGS, OpenedImage, too_large

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.JpegImagePlugin import JpegImageFile

# Four bytes per pixel in any mode, as Pillow stores RGB; converting or transposing copies.
_PIXEL_BYTES = 4
# Larger images are box-reduced first, to avoid a second full-size copy.
_LARGE_PIXELS = 24_000_000
# What decoders take per pixel besides Pillow's image. WebP: two canvases and a copy. AVIF and
# HEIC: planes of up to 16 bits, their RGB and a copy of it. JPEG 2000: 32 bits for each channel.
_CODEC_BYTES = {"WEBP": 12, "AVIF": 12, "HEIF": 12, "JPEG2000": 16}
# A HEIC of a camera: planes of 12 bits per pixel together, and RGB.
_CAMERA_HEIF_BYTES = 4
# libjpeg keeps all coefficients of a JPEG of several scans: two bytes per channel per pixel. They
# come in blocks of up to 16 x 16 pixels.
_COEFFICIENT_BYTES = 2
_BLOCK_SIDE = 16
# Scans times pixels: 2 s. A progressive JPEG has some ten scans, so 160 million pixels may have it.
_MAX_SCANNED_PIXELS = 1_600_000_000
# Reduce to no less than this multiple of the resize target. From 3 up, Pillow's documentation calls
# the difference from plain resizing "indistinguishable" (`reducing_gap`).
_GAP = 3
_BAND_PIXELS = 1_000_000
_JPEG_SCALES = (1, 2, 4, 8)
_ORIENTATION = 0x0112


@dataclass(frozen=True, kw_only=True)
class DecodePlan:
    """How to decode an image, and the memory that takes, in bytes.

    `scale` divides the sides during decoding (JPEG only). If `reduced`, the image is box-reduced
    right after decoding, so there is never a second full-size copy.
    """

    scale: int
    reduced: bool
    bytes: int


def plan_decoding(opened: OpenedImage, max_pixels: int, target_side: int) -> DecodePlan:
    """Plan from the header alone how to decode an image within the memory for `max_pixels`.

    A larger JPEG is decoded at 1/2, 1/4 or 1/8 (libjpeg scales while decoding), as long as its
    shorter side stays at least three times `target_side`.

    Raises:
        InputError: the image is too large at any scale, or a JPEG of too many scans.
    """
    width, height = opened.image.size
    _check_scans(opened)
    limit = _PIXEL_BYTES * max(max_pixels, 2 * _LARGE_PIXELS)
    is_jpeg = opened.image.format in JPEGS
    codec_bytes = _codec_bytes(opened.image) * width * height
    if opened.scans:
        codec_bytes = _COEFFICIENT_BYTES * len(opened.image.getbands()) * width * height
    for scale in _JPEG_SCALES if is_jpeg and opened.owned else _JPEG_SCALES[:1]:
        if scale > 1 and min(width, height) < scale * _GAP * target_side:
            break
        pixels = (width // scale) * (height // scale)
        for reduced in (False, True) if pixels <= _LARGE_PIXELS else (True,):
            needed = codec_bytes + pixels * _PIXEL_BYTES * (1 if reduced else 2)
            if pixels <= max_pixels and needed <= limit:
                return DecodePlan(scale=scale, reduced=reduced, bytes=needed)
    raise too_large(opened.name, (width, height), max_pixels)


def _codec_bytes(image: "Image") -> int:
    from_camera = image.mode == "RGB" and image.info.get("bit_depth") == 8
    if image.format == "HEIF" and from_camera and image.info.get("chroma") == 420:
        return _CAMERA_HEIF_BYTES
    return _CODEC_BYTES.get(image.format or "", 0)


def _check_scans(opened: OpenedImage) -> None:
    width, height = (-(-side // _BLOCK_SIDE) * _BLOCK_SIDE for side in opened.image.size)
    limit = _MAX_SCANNED_PIXELS // (width * height)
    if opened.scans > limit:
        raise InputError(
            f"{opened.name}: expected at most {limit} scans in a JPEG of this size, got "
            f"{opened.scans}; save it as a baseline JPEG"
        )


def decode(opened: OpenedImage, plan: DecodePlan, target_side: int) -> "Image":
    """Decode to upright RGB; the plan may make it smaller than the original.

    Raises:
        InputError: the image is truncated or damaged; the message names the file.
    """
    image = opened.image
    try:
        if plan.scale > 1:
            size = (image.width // plan.scale, image.height // plan.scale)
            cast("JpegImageFile", image).draft(None, size)
        image.load()
        orientation = _orientation(image)
        if plan.reduced:
            factor = max(1, min(image.size) // (_GAP * target_side))
            image = _reduced(image, factor)
        return _upright(_rgb(image), orientation)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise errors of any type
        raise InputError(
            f"{opened.name}: expected a complete image, but it is truncated or damaged: "
            f"{first_line(error)}"
        ) from error


def _rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        high_bytes = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high_bytes).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        image = image.copy()  # Pillow warns about dropping transparency, which is intended here
        del image.info["transparency"]
    return image.convert("RGB")


def _reduced(image: "Image", factor: int) -> "Image":
    """Average factor x factor blocks to RGB, band by band, without a full-size copy."""
    from PIL import Image

    canvas = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * max(1, _BAND_PIXELS // (image.width * factor))
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        band = _rgb(image.crop((0, top, image.width, bottom)))
        canvas.paste(band.reduce(factor), (0, top // factor))
    return canvas


def _orientation(image: "Image") -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # invalid EXIF data: leave the orientation as is
        return 1


def _upright(image: "Image", orientation: int) -> "Image":
    from PIL.Image import Transpose

    transposes = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    transpose = transposes.get(orientation)
    return image if transpose is None else image.transpose(transpose)
