"""One tower, exported and quantized: its ONNX models, each with what was measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgeembed_converters.graph.weights import OnnxModel, TooLargeError
from edgeembed_converters.quantization.trial.baseline import QuantizedModel
from edgeembed_converters.quantization.variants import QuantizationOutcome
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.errors import ConversionError

# The name of the variant that all others are made from.
BASE = "fp32"


@dataclass(frozen=True, kw_only=True)
class BuiltTower:
    """A tower that was proven to be the original: its models by variant name, fp32 first.

    Without fp32 where one ONNX file cannot hold it; `outcome.refused` then says so.
    """

    models: Mapping[str, QuantizedModel]
    outcome: QuantizationOutcome


def built_tower(
    fp32: OnnxModel,
    exporter: str,
    fidelity: Fidelity,
    outcome: QuantizationOutcome,
    *,
    padding: bool = True,
) -> BuiltTower:
    """A proven fp32 model, if it fits into one file, and the variants that were made from it.

    Without `padding`, none of them may pad: the original gives other vectors to padded inputs.

    Raises:
        ConversionError: it does not fit, and there are no variants.
    """
    if not padding:
        models = {name: replace(each, padding=False) for name, each in outcome.models.items()}
        outcome = replace(outcome, models=models)
    if not fp32.outside:
        first = QuantizedModel(
            recipe=f"{exporter}, float32",
            size=fp32.size,
            model=fp32.file,
            requires=(),
            padding=padding,
            fidelity=fidelity,
            speedup=1.0,
        )
        return BuiltTower(models={BASE: first, **outcome.models}, outcome=outcome)
    refused = {BASE: str(TooLargeError.of("its size", fp32.size)), **outcome.refused}
    if not outcome.models:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise ConversionError(f"expected a variant that fits into a bundle, got none: {reasons}")
    return BuiltTower(models=outcome.models, outcome=replace(outcome, refused=refused))
