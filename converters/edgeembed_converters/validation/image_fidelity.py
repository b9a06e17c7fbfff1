"""What is measured of a variant of an image tower: its closeness to the original, and its speed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters import parity
from edgeembed_converters.export.image_tower import PIXEL_VALUES
from edgeembed_converters.pictures import PixelSets
from edgeembed_converters.quantization.subject import Subject
from edgeembed_converters.speed import median_ratio
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.engine.engine import EMBEDDING
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import InferenceError

Pixels = NDArray[np.float32]
# The fastest and the slowest model are told apart by a few pictures.
_TIMED = 8


class ImageRunner:
    """An ONNX model that is not in a bundle yet, run as the runtime does: one picture at a time."""

    def __init__(self, model: bytes) -> None:
        """Load the model."""
        self._session = Session(model, "the new model", SessionSettings())

    def vectors(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Vectors of pictures of (1, 3, h, w) each: (n, d) float32.

        Raises:
            InferenceError: the model cannot be run on one of them, or gives NaN.
        """
        feeds: list[Any] = [{PIXEL_VALUES: pixels} for pixels in pictures]
        return np.concatenate([self._session.run(each, EMBEDDING) for each in feeds])


def image_fidelity(
    model: bytes, pictures: Sequence[Pixels], reference: NDArray[np.float32]
) -> Fidelity:
    """Run prepared pictures through an ONNX model, and compare with the original's vectors.

    A model that cannot be run on one of them, or gives NaN, is as far from the original as can be.
    """
    try:
        found = ImageRunner(model).vectors(pictures)
    except InferenceError:
        found = np.zeros_like(reference)
    return parity.fidelity(reference, found)


def image_subject(
    fp32: Path, pictures: Sequence[Pixels], reference: NDArray[np.float32], others: PixelSets
) -> Subject:
    """An image model's fp32 file as what is to be made smaller.

    It is measured on `pictures`, by the original's vectors (n, d), and on those of `others` that
    are meant for it, by the vectors of the fp32 model, which was proven to give the original's.
    """
    base = fp32.read_bytes()
    shown, wanted = [*pictures, *others.measured], reference
    if others.measured:
        wanted = np.concatenate([reference, ImageRunner(base).vectors(others.measured)])
    few = pictures[:_TIMED]

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
