"""The image encoder: one image, a list, or a stream."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.arguments import shown
from edgeembed_runtime.encoder.output import OutputOptions
from edgeembed_runtime.encoder.progress import OnProgress, check_progress, with_progress
from edgeembed_runtime.encoder.self_test import SelfTest, compare_golden
from edgeembed_runtime.encoder.tower import LoadedTower
from edgeembed_runtime.engine.image import ImageEngine, ImageResult
from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, ImageInput, is_single_image


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """The options of `Encoder.encode_image`.

    Setting `stop` cancels the encoding of a list before its next image.
    """

    output: OutputOptions = field(default_factory=OutputOptions)
    max_pixels: int = DEFAULT_MAX_PIXELS
    progress: bool | OnProgress = False
    stop: threading.Event | None = None

    def validate(self, dim: int) -> None:
        """Check the options before any work.

        Raises:
            InputError: one is unknown or out of range.
        """
        check_max_pixels(self.max_pixels)
        check_progress(self.progress)
        self.output.validate(dim)


class ImageEncoder(LoadedTower[ImageEngine]):
    """The image tower of a bundle, loaded."""

    def encode(
        self, images: ImageInput | Sequence[ImageInput], options: ImageOptions
    ) -> NDArray[Any]:
        """Encode one image to (d,), or n images to (n, d)."""
        options.validate(self.bundle.manifest.dim)
        if is_single_image(images):
            return self.finish(self.engine.encode_one(images, options.max_pixels), options.output)
        image_list = checked_images(images)
        vectors = np.empty((len(image_list), self.bundle.manifest.dim), np.float32)
        encoded = vectors_of(self.stream(image_list, options.max_pixels))
        for row, vector in enumerate(with_progress(encoded, len(image_list), options.progress)):
            vectors[row] = vector
            if options.stop is not None and options.stop.is_set():
                break
        return self.finish(vectors, options.output)

    def stream(self, images: Iterable[ImageInput], max_pixels: int) -> Iterator[ImageResult]:
        """Yield each image's vector, (d,) float32, or its error."""
        return self.engine.encode_many(enumerate(images), max_pixels)

    def self_test(self) -> SelfTest:
        """Run the golden images here and compare with the original model's vectors.

        Raises:
            BundleCorruptError: the bundle has no golden images, or they are damaged.
        """
        golden = self.golden()
        if not golden.images:
            raise BundleCorruptError("golden.json: expected images, found none; convert again")
        images = (self.bundle.read(name) for name in golden.images)
        vectors = np.stack(list(vectors_of(self.stream(images, DEFAULT_MAX_PIXELS))))
        return compare_golden(golden.image_vectors, vectors, "image", self.variant)


def vectors_of(results: Iterable[ImageResult]) -> Iterator[NDArray[np.float32]]:
    """Yield the vectors up to the first error, then raise it.

    Raises:
        InputError: an image is invalid; the message names its position and file.
    """
    for result in results:
        if isinstance(result, InputError):
            raise result
        yield result


def checked_images(images: object) -> list[ImageInput]:
    """Return `images` as a list.

    Raises:
        InputError: it is not a collection of images.
    """
    return list(checked_image_stream(images))


def checked_image_stream(images: object) -> Iterable[ImageInput]:
    """Return `images` if it can be a stream of images.

    Raises:
        InputError: it is not a collection of images.
    """
    if isinstance(images, dict) or not isinstance(images, Iterable):
        raise InputError(
            "images: expected an image (a path, bytes, a file, a PIL image or an array of "
            f"(height, width, 3) uint8) or a list of images, got {type(images).__name__}"
        )
    return images


_MOST = 1 << 40


def check_max_pixels(max_pixels: int) -> int:
    """Return `max_pixels` if it is valid.

    Raises:
        InputError: it is not a positive integer.
    """
    if type(max_pixels) is not int or not 1 <= max_pixels <= _MOST:
        raise InputError(
            f"max_pixels: expected 1 or more, at most {_MOST}, got {shown(max_pixels)}"
        )
    return max_pixels
