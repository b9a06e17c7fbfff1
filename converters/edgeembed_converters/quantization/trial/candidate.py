"""What a recipe offers to the search: models that it can make, fast ones first."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import onnx

from edgeembed_converters.graph.unpadded_nodes import drop_unpadded_nodes
from edgeembed_converters.graph.weights import OnnxModel, TooLargeError
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ConversionError, StorageError

_QUANTIZED_OPS = frozenset(
    (
        *("DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "MatMulNBits"),
        *("QAttention", "QLinearConv", "QLinearMatMul", "QuantizeLinear"),
    )
)


def nothing_closer() -> Iterator["Candidate"]:
    """For a candidate that nothing builds on."""
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to quantize one model; not made yet.

    `description` becomes the manifest's `recipe`, and must be unique: a search tries each
    description once. `requires` and `padding` are the manifest's, too. `make` returns the ONNX
    model, or raises ConversionError. `emulated` turns it into one that computes on a CPU what it
    computes on the machines that it is for, where padded batches are run: its fidelity is measured
    on that. `closer` yields slower and more faithful candidates that build
    on this one, in this order.
    """

    description: str
    requires: tuple[str, ...] = ()
    padding: bool = True
    make: Callable[[], bytes]
    emulated: Callable[[bytes], bytes] | None = None
    closer: Callable[[], Iterator["Candidate"]] = nothing_closer


class RefusedError(ConversionError):
    """A recipe cannot make a variant that is worth having; the search goes on without it."""


def load_unquantized(model: OnnxModel) -> onnx.ModelProto:
    """Parse an fp32 ONNX model.

    Raises:
        ConversionError: it is not an ONNX model, or it is quantized already.
    """
    with quantization_errors():
        parsed = onnx.load_from_string(model.graph)
    if _QUANTIZED_OPS.intersection(node.op_type for node in parsed.graph.node):
        raise ConversionError("the model is quantized already; start from the fp32 model")
    drop_unpadded_nodes(parsed)
    return parsed


@contextmanager
def quantization_errors() -> Generator[None]:
    """Turn whatever onnxruntime's quantizers raise on an unusual graph into ConversionError.

    StorageError (a full or failing disk), TooLargeError and RefusedError pass through.
    """
    try:
        yield
    except (StorageError, TooLargeError, RefusedError):
        raise
    except Exception as error:
        raise ConversionError(
            f"onnxruntime could not quantize the model: {first_line(error)}; "
            "convert without quantize"
        ) from error
