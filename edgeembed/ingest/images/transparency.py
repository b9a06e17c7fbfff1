"""Pictures with transparent ground as people see them: laid on white, or on black.

Encoding drops alpha, as models are trained; what it reveals beneath is often all the same.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.decode import plan_decoding
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, ImageInput, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

# Models see less than this; a larger picture is reduced first.
_SIDE = 1024
# RGBA and its copy with alpha multiplied, and a mask.
_MAX_PIXELS = DEFAULT_MAX_PIXELS // 2


def laid_on(image: ImageInput, ground: int) -> NDArray[np.uint8] | None:
    """The picture on a gray ground, 0 for black to 255 for white: (height, width, 3), upright.

    None if nothing in it is transparent.

    Raises:
        InputError: it cannot be opened or decoded, or is too large.
        MissingExtraError: Pillow is not installed.
    """
    with open_image(image) as opened:
        if not opened.image.has_transparency_data:
            return None
        plan_decoding(opened, _MAX_PIXELS, _SIDE)
        try:
            pixels = _premultiplied(opened.image)
        except MemoryError:
            raise
        except Exception as error:  # Pillow's plugins raise errors of any type
            raise InputError(f"{opened.name}: expected a complete image: {error}") from error
    alpha = pixels[:, :, 3:]
    if alpha.min() == 255:
        return None
    hidden = (255 - alpha.astype(np.uint16)) * ground // 255
    return (pixels[:, :, :3] + hidden).clip(0, 255).astype(np.uint8)


def _premultiplied(image: "Image") -> NDArray[np.uint8]:
    """(height, width, 4) with colors times alpha, so that hidden ones count for nothing."""
    from PIL import ImageOps

    pixels = image.convert("RGBA").convert("RGBa")
    factor = min(pixels.size) // _SIDE
    if factor > 1:
        pixels = pixels.reduce(factor)
    if orientation := image.getexif().get(0x0112):
        pixels.getexif()[0x0112] = orientation
        ImageOps.exif_transpose(pixels, in_place=True)
    return np.asarray(pixels)
