"""One tower, exported and quantized: its ONNX models, each with what was measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgeembed_converters.quantization.trial.baseline import QuantizedModel
from edgeembed_converters.quantization.variants import QuantizationOutcome
from edgeembed_runtime.bundle import Fidelity

# The name of the variant that all others are made from.
BASE = "fp32"


@dataclass(frozen=True, kw_only=True)
class BuiltTower:
    """A tower that was proven to be the original, and the variants made from it."""

    fp32: QuantizedModel
    outcome: QuantizationOutcome

    @property
    def models(self) -> Mapping[str, QuantizedModel]:
        """Every ONNX model by variant name, fp32 first."""
        return {BASE: self.fp32, **self.outcome.models}

    def unpadded(self) -> "BuiltTower":
        """The same, marked as giving other vectors to padded texts."""
        models = {name: replace(m, padding=False) for name, m in self.outcome.models.items()}
        return BuiltTower(
            fp32=replace(self.fp32, padding=False), outcome=replace(self.outcome, models=models)
        )


def fp32_model(model: bytes, exporter: str, fidelity: Fidelity) -> QuantizedModel:
    """An exported model as the first of a tower's variants."""
    return QuantizedModel(
        recipe=f"{exporter}, float32",
        size=len(model),
        model=model,
        requires=(),
        padding=True,
        fidelity=fidelity,
        speedup=1.0,
    )
