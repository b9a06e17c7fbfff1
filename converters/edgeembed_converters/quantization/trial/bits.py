"""How wide weights are."""

from typing import Literal

# 8-bit weights saturate on x86 processors without VNNI, where two products are summed in 16 bits
# (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html); 7-bit weights
# are right everywhere. Arm has no such limit.
Bits = Literal[7, 8]
# Weights are whole numbers from -LEVELS to LEVELS, times a scale.
LEVELS: dict[Bits, int] = {8: 127, 7: 63}
