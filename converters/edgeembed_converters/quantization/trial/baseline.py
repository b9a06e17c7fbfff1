"""The fp32 model that recipes start from, and what is measured of the models that they make."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import onnx
from onnx import TensorProto

from edgeembed_converters.graph.intermediate_values import Feeds
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_runtime.bundle import Fidelity

_LAYERS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))


class Baseline(Protocol):
    """The fp32 model to quantize; `validation/` has one for texts and one for images."""

    @property
    def fp32(self) -> OnnxModel:
        """The fp32 model, whose weights may lie outside."""
        ...

    @property
    def model(self) -> bytes:
        """The fp32 model as one ONNX file.

        Raises:
            TooLargeError: one file cannot hold it; a recipe that needs it so is refused.
        """
        ...

    @property
    def max_tokens(self) -> int | None:
        """The length of the longest text that the model will get; None if it takes images."""
        ...

    @property
    def golden_inputs(self) -> Sequence[Feeds]:
        """The inputs that fidelity is measured on."""
        ...

    @property
    def calibration(self) -> Sequence[Feeds]:
        """Inputs to calibrate on; nothing is measured on them."""
        ...

    def fidelity(self, model: bytes, *, padded: bool = False) -> Fidelity:
        """How close an ONNX model is to the original; texts one by one, or in padded batches."""
        ...

    def speedup(self, model: bytes) -> float:
        """How many times as fast as the fp32 model an ONNX model is; 0 if it cannot be run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was measured of the ONNX model that a recipe made.

    `recipe` describes how it was made. `size` is in bytes. `requires` and `padding` are the
    manifest's: CPU features or providers (a machine needs one of them), and whether texts may be
    padded. `left_in_fp32` counts the layers that were not quantized, by operator, as in "1 Conv".
    """

    recipe: str
    size: int
    requires: tuple[str, ...]
    padding: bool
    fidelity: Fidelity
    speedup: float
    left_in_fp32: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QuantizedModel(Trial):
    """A trial with its ONNX model."""

    model: bytes


def left_in_fp32(model: bytes) -> tuple[str, ...]:
    """Layers of an ONNX model with float32 weights, counted by operator, as in "1 Conv"."""
    graph = onnx.load_from_string(model).graph
    weights = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    counts = Counter(
        node.op_type
        for node in graph.node
        if node.op_type in _LAYERS and not weights.isdisjoint(node.input[1:2])
    )
    return tuple(f"{count} {operator}" for operator, count in sorted(counts.items()))
