"""What a bundle can hold of a large model, known from its parameters before any work is done."""

import itertools

from torch import nn

from edgeembed_converters.graph.weights import TooLargeError, fits
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.quantization.registry import Quantization, least_share
from edgeembed_runtime.errors import UnsupportedModelError

_SMALLER: tuple[Quantization, ...] = ("int8", "fp16")


def require_variant_that_fits(name: str, encoder: nn.Module, options: BuildOptions) -> None:
    """Refuse a model of which no variant that is made fits into one ONNX file.

    Raises:
        UnsupportedModelError: fp32 does not fit, nor does any variant asked for; or the exporter
            cannot export such a model.
    """
    size = _fp32_bytes(encoder)
    if fits(size):
        return
    found = TooLargeError.of(f"{name} in fp32", size)
    if options.exporter != "torch":
        raise UnsupportedModelError(f"{found}; pass exporter='torch', which exports larger ones")
    if any(fits(size * least_share(wanted)) for wanted in options.quantize):
        return
    fitting = [f"{each!r}" for each in _SMALLER if fits(size * least_share(each))]
    advice = f"pass quantize={' or '.join(fitting)}" if fitting else "convert a smaller one"
    raise UnsupportedModelError(f"{found}; {advice}")


def _fp32_bytes(encoder: nn.Module) -> int:
    """The size of the weights in float32; shared ones count once."""
    weights = itertools.chain(encoder.parameters(), encoder.buffers())
    return sum(4 * weight.numel() for weight in weights)
