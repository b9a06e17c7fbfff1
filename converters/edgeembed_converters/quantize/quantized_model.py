"""What every way of making a model smaller gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle import Fidelity

# From an ONNX model's bytes to its closeness to the original.
Measure = Callable[[bytes], Fidelity]


@dataclass(frozen=True, kw_only=True)
class Original:
    """What is made smaller: the fp32 model's file, and token ids of texts to calibrate on.

    `max_tokens` is the longest text that it will be given.
    """

    path: Path
    max_tokens: int
    calibration: Sequence[NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class QuantizedModel:
    """A smaller ONNX model, how it was made and how close it is to the original.

    `requires` and `padding` are the manifest's: CPU features or providers of which a machine
    needs one, and whether texts may be padded.
    """

    model: bytes
    recipe: str
    requires: tuple[str, ...]
    fidelity: Fidelity
    padding: bool = True
