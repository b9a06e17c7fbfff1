"""Weight widths: which levels they have, and which processors multiply them exactly."""

from typing import Literal

from edgeembed_runtime.engine.cpu import cpu_features

# 8-bit weights saturate on x86 processors without VNNI, where two products are summed in 16 bits
# (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html); 7-bit weights
# are exact everywhere. Arm has no such limit.
Bits = Literal[7, 8]
# Weights are integers from -LEVELS to LEVELS, times a scale.
LEVELS: dict[Bits, int] = {8: 127, 7: 63}
_EXACT_IN_8_BITS = ("vnni", "neon")


def required_features(bits: Bits) -> tuple[str, ...]:
    """CPU features, at least one of which is needed to multiply such weights exactly."""
    return _EXACT_IN_8_BITS if bits == 8 else ()


def max_exact_bits() -> Bits:
    """The widest weights that this machine multiplies exactly, and so can measure."""
    return 8 if cpu_features().intersection(_EXACT_IN_8_BITS) else 7
