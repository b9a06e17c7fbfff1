"""Image preprocessing settings of an image tower; applied in inputs/image/preprocess.py."""

from dataclasses import dataclass
from typing import Literal, get_args

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.validation import expect

Resize = Literal["shortest", "longest", "squash", "none"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Crop = Literal["center", "none"]
Rounding = Literal["torchvision", "transformers", "timm"]
RESIZES: tuple[Resize, ...] = get_args(Resize)
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)
CROPS: tuple[Crop, ...] = get_args(Crop)
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)
# Larger than any encoder's input, and still safe for memory.
MAX_PIXELS = 4096
_WHITE = 255


@public
@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How an 8-bit RGB image becomes `pixel_values`, (3, height, width) float32.

    `size` is (height, width) in pixels. The steps, in order:

    1. `resize`: "shortest" scales the shorter side to `resize_to` pixels and "longest" the longer
       one, keeping the aspect ratio; "squash" scales to `size`, or to a square of `resize_to`,
       ignoring it; "none" does nothing. `resize_to` defaults to the shorter (or longer) side of
       `size`. Filters are antialiased, as in Pillow.
    2. Center crop to `size`, with `crop` "center" or after "longest"; missing pixels are filled
       with the color `pad`.
    3. Each channel becomes (value * rescale - mean) / std.

    `rounding` selects the library whose rounding of half pixels to follow. Other side of a resized
    image: torchvision and transformers round down; timm (its ResizeKeepRatio, and open_clip's)
    rounds to nearest. First row of the crop: torchvision and timm round (height - size) / 2 to
    nearest, transformers rounds down. If the image is smaller than the crop, transformers rounds
    the leading border up, the others down.

    Raises:
        BundleCorruptError: a setting is unknown, out of range, or contradicts another.
    """

    size: tuple[int, int]
    resize: Resize = "shortest"
    resize_to: int | None = None
    interpolation: Interpolation = "bicubic"
    rounding: Rounding = "torchvision"
    crop: Crop = "center"
    pad: tuple[int, int, int] = (0, 0, 0)
    rescale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        """Validate the settings."""
        sides = self.size if self.resize_to is None else (*self.size, self.resize_to)
        expect(
            len(self.size) == 2 and all(1 <= side <= MAX_PIXELS for side in sides),
            "preprocess: size, resize_to",
            f"a height and a width of 1 to {MAX_PIXELS}",
            sides,
        )
        for name, value, known in (
            ("resize", self.resize, RESIZES),
            ("interpolation", self.interpolation, INTERPOLATIONS),
            ("rounding", self.rounding, ROUNDINGS),
            ("crop", self.crop, CROPS),
        ):
            expect(value in known, f"preprocess.{name}", f"one of {', '.join(known)}", value)
        for name, values in (("pad", self.pad), ("mean", self.mean), ("std", self.std)):
            expect(len(values) == 3, f"preprocess.{name}", "three numbers", values)
        expect(
            all(0 <= value <= _WHITE for value in self.pad),
            "preprocess.pad",
            "numbers of 0 to 255",
            self.pad,
        )
        expect(all(self.std), "preprocess.std", "numbers other than 0", self.std)
        expect(
            self.crop == "center"
            or self.resize == "longest"
            or (self.resize == "squash" and self.resize_to is None),
            "preprocess.crop",
            "center, so that the image has the network's input size",
            self.crop,
        )
