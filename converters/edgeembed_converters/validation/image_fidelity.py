"""What is measured of a variant of an image tower: its closeness to the original, and its speed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.quantization.trial.subject import Subject
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.pixels import PixelSets
from edgeembed_converters.validation.speed import median_ratio
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.bundle.signature import EMBEDDING, PIXEL_VALUES
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import InferenceError

Pixels = NDArray[np.float32]
# The fastest and the slowest model are told apart by a few images.
_TIMED = 8


class ImageRunner:
    """An ONNX model that is not in a bundle yet, run as the runtime does: one image at a time."""

    def __init__(self, model: bytes) -> None:
        """Load the model."""
        self._session = Session(model, "the new model", SessionSettings())

    def vectors(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Vectors of images of (1, 3, h, w) each: (n, d) float32.

        Raises:
            InferenceError: the model cannot be run on one of them, or gives NaN.
        """
        feeds: list[Any] = [{PIXEL_VALUES: pixels} for pixels in images]
        return np.concatenate([self._session.run(each, EMBEDDING) for each in feeds])


def image_fidelity(
    model: bytes, images: Sequence[Pixels], reference: NDArray[np.float32]
) -> Fidelity:
    """Run prepared images through an ONNX model, and compare with the original's vectors.

    A model that cannot be run on one of them, or gives NaN, is as far from the original as can be.
    """
    try:
        found = ImageRunner(model).vectors(images)
    except InferenceError:
        found = np.zeros_like(reference)
    return parity.fidelity(reference, found)


def image_subject(
    fp32: Path, images: Sequence[Pixels], reference: NDArray[np.float32], others: PixelSets
) -> Subject:
    """An image model's fp32 file as what is to be made smaller.

    It is measured on `images`, by the original's vectors (n, d), and on those of `others` that
    are meant for it, by the vectors of the fp32 model, which was proven to give the original's.
    """
    base = fp32.read_bytes()
    shown, wanted = [*images, *others.measured], reference
    if others.measured:
        wanted = np.concatenate([reference, ImageRunner(base).vectors(others.measured)])
    few = images[:_TIMED]

    def speedup(model: bytes) -> float:
        slow, fast = ImageRunner(base), ImageRunner(model)
        try:
            return median_ratio(lambda: slow.vectors(few), lambda: fast.vectors(few))
        except InferenceError:
            return 0.0

    return Subject(
        path=fp32,
        max_tokens=None,
        calibration=[{PIXEL_VALUES: pixels} for pixels in others.calibration],
        fidelity=lambda model: image_fidelity(model, shown, wanted),
        speedup=speedup,
    )
