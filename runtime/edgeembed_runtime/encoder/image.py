"""How images become vectors: one or many, as a stream, in any precision."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle import Bundle, Variant
from edgeembed_runtime.encoder.output import Finishing, Shape
from edgeembed_runtime.encoder.progress import OnProgress, with_progress
from edgeembed_runtime.encoder.self_test import SelfTest, compare_golden
from edgeembed_runtime.engine.handle import EngineHandle
from edgeembed_runtime.engine.image import ImageEngine, Outcome
from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, ImageInput, is_single_image


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What `Encoder.encode_image` takes beside the images."""

    shape: Shape = field(default_factory=Shape)
    max_pixels: int = DEFAULT_MAX_PIXELS
    progress: bool | OnProgress = False

    def __post_init__(self) -> None:
        """Refuse a limit that cannot be."""
        check_max_pixels(self.max_pixels)


@dataclass(frozen=True, kw_only=True)
class ImageEncoding:
    """The way from images to vectors for one variant of a bundle."""

    bundle: Bundle
    variant: Variant
    engine: EngineHandle[ImageEngine]

    def encode(
        self, images: ImageInput | Sequence[ImageInput], options: ImageOptions
    ) -> NDArray[Any]:
        """One image to (d,), or n images to (n, d)."""
        finish, shape = self._finishing.finish, options.shape
        self._finishing.check(shape)
        if is_single_image(images):
            return finish(self.engine.get().encode_one(images, options.max_pixels), shape)
        given = checked_images(images)
        found = np.empty((len(given), self.bundle.manifest.dim), np.float32)
        outcomes = self.outcomes(given, options.max_pixels)
        vectors = with_progress(vectors_of(outcomes), len(given), options.progress)
        for row, vector in enumerate(vectors):
            found[row] = vector
        return finish(found, shape)

    def outcomes(self, images: Iterable[ImageInput], max_pixels: int) -> Iterator[Outcome]:
        """The vector of each image, (d,) float32, or what is wrong with it, in order."""
        return self.engine.get().encode_many(enumerate(images), max_pixels)

    def self_test(self) -> SelfTest:
        """Run the golden images here and compare with the original model's vectors."""
        golden = self._finishing.golden()
        if not golden.images:
            raise BundleCorruptError("golden.json: expected images, found none; convert again")
        images = (self.bundle.read(name) for name in golden.images)
        found = np.stack(list(vectors_of(self.outcomes(images, DEFAULT_MAX_PIXELS))))
        return compare_golden(golden.image_vectors, found, "image", self.variant)

    @cached_property
    def _finishing(self) -> Finishing:
        return Finishing(bundle=self.bundle)


def vectors_of(outcomes: Iterable[Outcome]) -> Iterator[NDArray[np.float32]]:
    """The vectors, up to the first image that has none.

    Raises:
        InputError: an image cannot be used; the message names its position and its file.
    """
    for outcome in outcomes:
        if isinstance(outcome, InputError):
            raise outcome
        yield outcome


def checked_images(images: object) -> list[ImageInput]:
    """`images` as a list.

    Raises:
        InputError: it is no collection of images.
    """
    if isinstance(images, dict) or not isinstance(images, Iterable):
        raise InputError(
            "images: expected an image (a path, bytes, a file, a PIL image or an array of "
            f"(height, width, 3) uint8) or a list of images, got {type(images).__name__}"
        )
    return list(images)


def check_max_pixels(max_pixels: int) -> int:
    """`max_pixels` itself.

    Raises:
        InputError: it is no positive number.
    """
    if type(max_pixels) is not int or max_pixels < 1:
        raise InputError(f"max_pixels: expected 1 or more, got {max_pixels!r}")
    return max_pixels
