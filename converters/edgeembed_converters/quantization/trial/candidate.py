"""What every family of recipes offers to the search."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import onnx

from edgeembed_converters.quantization.trial.bits import Bits
from edgeembed_runtime.errors import ConversionError

_QUANTIZED_OPS = frozenset(
    (
        *("DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "MatMulNBits"),
        *("QAttention", "QLinearConv", "QLinearMatMul", "QuantizeLinear"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One recipe for one model, not made yet.

    `name` is how the manifest calls it, `requires` and `padding` are the manifest's. `make` gives
    the ONNX model, or raises ConversionError. `closer` gives slower and more faithful candidates
    that build on this one, in this order.
    """

    name: str
    requires: tuple[str, ...]
    padding: bool
    make: Callable[[], bytes]
    closer: Callable[[], Iterator["Candidate"]]


# The fastest candidates for a width of weights; they cost the same, so that the most faithful
# one is the best.
Fastest = Callable[[Bits], Sequence[Candidate]]


def require_unquantized(model: onnx.ModelProto) -> None:
    """Refuse a model that is quantized already.

    Raises:
        ConversionError: it is.
    """
    if _QUANTIZED_OPS.intersection(node.op_type for node in model.graph.node):
        raise ConversionError("the model is quantized already; start from the fp32 model")


def required_features(bits: Bits) -> tuple[str, ...]:
    """CPU features of which a machine needs one for weights of this width to be right."""
    return ("vnni", "neon") if bits == 8 else ()


def counts_of(layers: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Shares of a number of layers as numbers, each once and at least 1; none of no layers."""
    return tuple(dict.fromkeys(max(1, round(share * layers)) for share in shares if layers))
