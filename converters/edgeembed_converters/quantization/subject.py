"""What is made smaller, and how what comes of it is measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle import Fidelity


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model to be made smaller.

    `path` is the fp32 ONNX file, `max_tokens` the longest text that it will be given, and
    `calibration` token ids, (t,) each, of texts that are not measured on. `fidelity` compares an
    ONNX model's bytes with the original, `speedup` its speed with the fp32 model's.
    """

    path: Path
    max_tokens: int
    calibration: Sequence[NDArray[np.int64]]
    fidelity: Callable[[bytes], Fidelity]
    speedup: Callable[[bytes], float]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One recipe, tried: the ONNX model that it gives, and what was measured of it.

    `requires` and `padding` are the manifest's: CPU features or providers of which a machine
    needs one, and whether texts may be padded.
    """

    recipe: str
    model: bytes
    requires: tuple[str, ...]
    padding: bool
    fidelity: Fidelity
    speedup: float
