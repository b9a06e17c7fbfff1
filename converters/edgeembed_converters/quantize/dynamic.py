"""onnxruntime's dynamic int8: weights stored in 8 bits, activations scaled while the model runs."""

import logging
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx

from edgeembed_converters.export.unpadded import unpadded
from edgeembed_converters.messages import first_line
from edgeembed_converters.quantize.embedding_rows import quantize_embedding_rows
from edgeembed_converters.quantize.quantized_model import Measure, Original, QuantizedModel
from edgeembed_converters.quantize.smoothing import channel_maxima, smoothed
from edgeembed_runtime import storage
from edgeembed_runtime.errors import ConversionError, StorageError


@dataclass(frozen=True, kw_only=True)
class DynamicRecipe:
    """One setting of the quantizer.

    8-bit weights saturate on x86 processors without VNNI, where two products are summed in 16 bits
    (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html); 7-bit weights
    (`reduce_range`) are right everywhere. Arm has no such limit.
    """

    per_channel: bool
    reduce_range: bool
    smoothing: float | None = None
    """The strength of `smoothed`, or None for the model as it is."""

    @property
    def name(self) -> str:
        """How the manifest calls it."""
        scale = "per channel" if self.per_channel else "per tensor"
        name = f"dynamic int8, {scale}, {7 if self.reduce_range else 8}-bit weights"
        return name if self.smoothing is None else f"{name}, smoothed {self.smoothing:g}"

    @property
    def requires(self) -> tuple[str, ...]:
        """CPU features of which a machine needs one for this recipe to be right."""
        return () if self.reduce_range else ("vnni", "neon")


# Measured on MiniLM and others: the paper's strength of 0.5 is worse than none for dynamic scales.
RECIPES = (
    DynamicRecipe(per_channel=True, reduce_range=False),
    DynamicRecipe(per_channel=True, reduce_range=False, smoothing=0.7),
    DynamicRecipe(per_channel=True, reduce_range=False, smoothing=0.75),
    DynamicRecipe(per_channel=True, reduce_range=True),
    DynamicRecipe(per_channel=True, reduce_range=True, smoothing=0.75),
    DynamicRecipe(per_channel=False, reduce_range=False),
)


def best_dynamic_int8(original: Original, measure: Measure) -> QuantizedModel:
    """Quantize by every recipe and keep the most faithful (highest mean cosine) on this machine.

    Raises:
        ConversionError: onnxruntime's quantizer failed on this graph.
    """
    with _conversion_errors():
        padded = onnx.load(original.path)
        faster = unpadded(padded, original.max_tokens)
        fp32 = faster or padded
        maxima = channel_maxima(fp32, original.calibration)
        fp32 = quantize_embedding_rows(fp32)
    candidates: list[QuantizedModel] = []
    for recipe in RECIPES:
        prepared = fp32 if recipe.smoothing is None else smoothed(fp32, maxima, recipe.smoothing)
        model = _quantize(prepared, recipe)
        candidates.append(
            QuantizedModel(
                model=model,
                recipe=recipe.name,
                requires=recipe.requires,
                fidelity=measure(model),
                padding=faster is None,
            )
        )
    return max(candidates, key=lambda candidate: candidate.fidelity.mean_cosine)


def _quantize(model: onnx.ModelProto, recipe: DynamicRecipe) -> bytes:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quiet(), _conversion_errors():
        target = Path(folder) / "int8.onnx"
        with storage.storage_errors("write", target):
            quantize_dynamic(
                model,
                target,
                op_types_to_quantize=["MatMul"],
                per_channel=recipe.per_channel,
                reduce_range=recipe.reduce_range,
                weight_type=QuantType.QInt8,
                # Of values whose type cannot be inferred, such as those behind fused attention.
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
            return target.read_bytes()


@contextmanager
def _conversion_errors() -> Generator[None]:
    try:
        yield
    except StorageError:
        raise
    except Exception as error:  # whatever a surprising graph makes onnxruntime raise
        raise ConversionError(
            f"onnxruntime could not quantize the model: {first_line(error)}; "
            "convert without quantize"
        ) from error


@contextmanager
def _quiet() -> Generator[None]:
    """The quantizer recommends another tool through the root logger, each time."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
