"""What is made smaller, and how what comes of it is measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeembed_converters.graph.probe import Feeds
from edgeembed_runtime.bundle import Fidelity


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model to be made smaller.

    `path` is the fp32 ONNX file, `max_tokens` the longest text that it will be given, if it takes
    texts, and `calibration` inputs that are not measured on. `fidelity` compares an ONNX model's
    bytes with the original, `speedup` its speed with the fp32 model's.
    """

    path: Path
    max_tokens: int | None
    calibration: Sequence[Feeds]
    fidelity: Callable[[bytes], Fidelity]
    speedup: Callable[[bytes], float]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One recipe, tried: what was measured of the ONNX model that it gives.

    `size` is in bytes. `requires` and `padding` are the manifest's: CPU features or providers of
    which a machine needs one, and whether texts may be padded. `left_in_fp32` counts the layers
    that were not quantized, by operator: such as "1 Conv".
    """

    recipe: str
    size: int
    requires: tuple[str, ...]
    padding: bool
    fidelity: Fidelity
    speedup: float
    left_in_fp32: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Made(Trial):
    """A trial with its ONNX model."""

    model: bytes
