"""Images made by code: to prove conversions on, and others to calibrate on."""

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Height and width: portrait, landscape, square, long, tiny, and larger than encoders take.
_SIZES = (
    *((96, 128), (160, 120), (112, 112), (60, 240), (200, 72), (24, 20), (224, 224)),
    *((257, 191), (130, 333), (300, 400), (333, 128), (88, 96)),
)
_MODES = ("RGB", "RGB", "L", "RGB", "P", "RGBA", "RGB", "LA")
_LEVELS = 24  # of brightness; PNG compresses flat areas well
_CALIBRATION_SIDE = 288
_ORIENTATION = 0x0112  # the EXIF tag


@functools.cache
def probe_images() -> tuple[bytes, ...]:
    """Two dozen small PNG files of every shape and mode, one of them rotated by EXIF."""
    rng = np.random.default_rng(20)
    return tuple(
        _png(_image(rng, *_SIZES[n % len(_SIZES)], detail=3), _MODES[n % len(_MODES)], n == 3)
        for n in range(24)
    )


def calibration_images(count: int = 64) -> tuple[bytes, ...]:
    """PNG files with more detail, none of them a probe image."""
    rng = np.random.default_rng(21)
    side = _CALIBRATION_SIDE
    return tuple(_png(_image(rng, side, side, detail=6), "RGB", False) for _ in range(count))


def _image(rng: np.random.Generator, height: int, width: int, detail: int) -> NDArray[np.uint8]:
    """Clouds of color with a photo-like spectrum (falling with frequency), and shapes."""
    canvas = np.zeros((height, width, 3))
    for octave in range(detail):
        grid = rng.normal(size=(2 + 2**octave, 2 + 2**octave, 3)) / 1.7**octave
        canvas += _upsampled(grid, height, width)
    canvas = 128 + 60 * canvas / canvas.std()
    rows, columns = np.mgrid[0:height, 0:width]
    for _ in range(int(rng.integers(3, 9))):
        middle = rng.random(2) * (height, width)
        radius = (0.05 + 0.25 * rng.random(2)) * min(height, width)
        distance = np.stack([rows - middle[0], columns - middle[1]]) / radius[:, None, None]
        inside = (np.abs(distance).max(0) if rng.random() < 0.5 else (distance**2).sum(0)) < 1
        canvas[inside] = rng.integers(0, 256, 3)
    step = 255 / (_LEVELS - 1)
    return np.clip(np.round(canvas / step) * step, 0, 255).astype(np.uint8)


def _upsampled(grid: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """A coarse (a, b, 3) grid, smoothly upsampled to (height, width, 3)."""
    rows, columns = (
        np.linspace(0, side - 1.001, n) for side, n in ((len(grid), height), (grid.shape[1], width))
    )
    top, left = rows.astype(int), columns.astype(int)
    down, right = _eased(rows - top)[:, None, None], _eased(columns - left)[None, :, None]
    upper = grid[top][:, left] * (1 - right) + grid[top][:, left + 1] * right
    lower = grid[top + 1][:, left] * (1 - right) + grid[top + 1][:, left + 1] * right
    return upper * (1 - down) + lower * down


def _eased(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x * x * (3 - 2 * x)


def _png(pixels: NDArray[np.uint8], mode: str, rotated: bool) -> bytes:
    from PIL import Image

    image: Any = Image.fromarray(pixels)
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray(pixels[:, ::-1, 0].copy()))
    else:
        image = image.convert(mode)
    exif = Image.Exif()
    if rotated:
        exif[_ORIENTATION] = 6  # a quarter turn to the right
    file = io.BytesIO()
    image.save(file, format="PNG", exif=exif, optimize=True)
    return file.getvalue()
