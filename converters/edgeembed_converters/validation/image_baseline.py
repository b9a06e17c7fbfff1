"""The fp32 baseline of an image model: measures how close and how fast other ONNX models are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.graph.intermediate_values import Feeds
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.pixels import PixelSets
from edgeembed_converters.validation.speed import median_ratio
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.bundle.signature import EMBEDDING, PIXEL_VALUES
from edgeembed_runtime.engine.session import SessionSettings
from edgeembed_runtime.errors import InferenceError

Pixels = NDArray[np.float32]
# A few images are enough to tell the fastest model from the slowest.
_TIMED = 8


class ImageRunner:
    """Runs an ONNX model that is not in a bundle yet as the runtime does: one image at a time."""

    def __init__(self, model: OnnxModel) -> None:
        """Load the model."""
        self._session = model.session("the new model", SessionSettings())

    def vectors(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Vectors of (1, 3, h, w) images: (n, d) float32.

        Raises:
            InferenceError: the model fails on one of them, or returns NaN.
        """
        return np.concatenate(
            [self._session.run({PIXEL_VALUES: pixels}, EMBEDDING) for pixels in images]
        )


def measured_image_fidelity(
    model: OnnxModel, images: Sequence[Pixels], reference: NDArray[np.float32]
) -> Fidelity:
    """Run preprocessed images through an ONNX model and compare with the original's vectors.

    A model that fails on one of them, or returns NaN, gets zero vectors: the worst fidelity.
    """
    try:
        found = ImageRunner(model).vectors(images)
    except InferenceError:
        found = np.zeros_like(reference)
    return parity.fidelity(reference, found)


@dataclass(frozen=True, kw_only=True)
class ImageBaseline:
    """An fp32 ONNX image model, and preprocessed images: golden ones and the user's.

    `reference` holds the original's vectors (n, d) of the golden `images`. Models are also measured
    on the user's images that are set aside for it, against the fp32 model, which was proven to be
    the original.
    """

    fp32: OnnxModel
    images: Sequence[Pixels]
    reference: NDArray[np.float32]
    user_images: PixelSets
    max_tokens: None = None

    @property
    def model(self) -> bytes:
        """The fp32 model as one ONNX file; raises TooLargeError."""
        return self.fp32.file

    @property
    def golden_inputs(self) -> Sequence[Feeds]:
        """The images that fidelity is measured on, as inputs of the graph."""
        return [{PIXEL_VALUES: pixels} for pixels in (*self.images, *self.user_images.measured)]

    @property
    def calibration(self) -> Sequence[Feeds]:
        """The user's images to calibrate on, as inputs of the graph."""
        return [{PIXEL_VALUES: pixels} for pixels in self.user_images.calibration]

    def fidelity(self, model: bytes, *, padded: bool = False) -> Fidelity:
        """See `measured_image_fidelity`; images are never padded."""
        del padded
        images = [*self.images, *self.user_images.measured]
        return measured_image_fidelity(OnnxModel.in_one_file(model), images, self._references)

    def speedup(self, model: bytes) -> float:
        """How many times as fast as the fp32 model a model is here; 0 if it cannot be run."""
        slow, fast = ImageRunner(self.fp32), ImageRunner(OnnxModel.in_one_file(model))
        few = self.images[:_TIMED]
        try:
            return median_ratio(lambda: slow.vectors(few), lambda: fast.vectors(few))
        except InferenceError:
            return 0.0

    @cached_property
    def _references(self) -> NDArray[np.float32]:
        measured = self.user_images.measured
        if not measured:
            return self.reference
        return np.concatenate([self.reference, ImageRunner(self.fp32).vectors(measured)])
