"""Settings that make an image the input of an image tower's graph; see inputs/preprocess.py."""

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
# Larger than what any encoder takes, and still no danger to memory.
MAX_PIXELS = 4096
_WHITE = 255


@public
@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """From an RGB image of 8 bits to `pixel_values`, (3, height, width) float32.

    First `resize`: "shortest" makes the shorter side `resize_to` pixels long, "longest" the longer
    one, both keep the shape; "squash" makes the image `size`, or a square of `resize_to`,
    whatever its shape; "none" leaves it. `resize_to` is by default the shorter (or longer) side of
    `size`. The filter is antialiased, as Pillow's are. Then, with `crop` "center" or after
    "longest", the middle is cut out, and what is missing on a side is filled with the color
    `pad`. Last, each channel becomes (value * rescale - mean) / std.

    `rounding` says whose rule holds where half pixels must be rounded. The other side of a
    resized image: torchvision and transformers round down, timm (its ResizeKeepRatio, and
    open_clip's) to the nearest. The first row of the middle: torchvision and timm take the nearest
    to (height - size) / 2, transformers rounds down; where the image is the smaller one,
    transformers rounds the border before it up, the others down.
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
        """Refuse settings that no image could be prepared by."""
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
            "center, for the image to have the network's size",
            self.crop,
        )
