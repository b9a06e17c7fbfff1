"""Static int8, for convolutional networks: activation ranges are measured in advance.

onnxruntime has no fast dynamic int8 convolution.
"""

import contextlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import onnx

from edgeembed_converters._internal.quiet import quiet_logging
from edgeembed_converters.graph.intermediate_values import Feeds
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.integer.bias_correction import bias_corrected
from edgeembed_converters.quantization.trial.baseline import Baseline
from edgeembed_converters.quantization.trial.bits import Bits, required_features
from edgeembed_converters.quantization.trial.candidate import (
    Candidate,
    load_unquantized,
    quantization_errors,
)
from edgeembed_runtime import storage

Ranges = Literal["min-max", "percentile"]
_RANGES: tuple[Ranges, ...] = ("min-max", "percentile")


@dataclass(frozen=True, kw_only=True)
class StaticSettings:
    """The settings of one static int8 candidate."""

    bits: Bits = 8
    ranges: Ranges = "min-max"

    @property
    def description(self) -> str:
        """The manifest's name for it."""
        return f"static int8, {self.bits}-bit weights per channel, {self.ranges} ranges"


class StaticMaker:
    """Makes static int8 models of one baseline."""

    def __init__(self, baseline: Baseline) -> None:
        """Parse the fp32 model.

        Raises:
            ConversionError: it is not an ONNX model, or it is quantized already.
        """
        self._calibration = baseline.calibration
        self._graph = load_unquantized(OnnxModel.in_one_file(baseline.model))

    def fastest(self, bits: Bits) -> Sequence[Candidate]:
        """One candidate for each way to measure ranges."""
        # Class probabilities are too similar for the histograms that percentiles come from, and
        # onnxruntime makes those of inputs of one shape only: of images, not of texts.
        shapes = {tuple(each.shape for each in feeds.values()) for feeds in self._calibration}
        has_histograms = len(shapes) == 1 and not _label_selection(self._graph.graph)
        kinds = _RANGES if has_histograms else _RANGES[:1]
        return [self._candidate(StaticSettings(bits=bits, ranges=ranges)) for ranges in kinds]

    def make(self, settings: StaticSettings) -> bytes:
        """The ONNX model with these settings.

        Raises:
            ConversionError: onnxruntime could not quantize it.
        """
        from onnxruntime.quantization import (  # noqa: TID251 (a tool)
            CalibrationDataReader,
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )

        class Reader(CalibrationDataReader):
            """The calibration inputs, in the form that the quantizer takes."""

            def __init__(self, inputs: Sequence[Feeds]) -> None:
                self._inputs = iter(inputs)

            def get_next(self) -> Any:
                return next(self._inputs, None)

        methods = {"min-max": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
        with tempfile.TemporaryDirectory() as folder, quantization_errors():
            source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
            corrected = bias_corrected(self._graph, self._calibration, settings.bits)
            storage.write_file(source, corrected.SerializeToString())
            with (
                storage.storage_errors("write", target),
                contextlib.redirect_stdout(io.StringIO()),
                quiet_logging(),
            ):
                quantize_static(
                    source,
                    target,
                    Reader(self._calibration),
                    quant_format=QuantFormat.QDQ,
                    per_channel=True,
                    reduce_range=settings.bits == 7,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    calibrate_method=methods[settings.ranges],
                    nodes_to_exclude=_label_selection(corrected.graph),
                )
                return target.read_bytes()

    def _candidate(self, settings: StaticSettings) -> Candidate:
        return Candidate(
            description=settings.description,
            requires=required_features(settings.bits),
            padding=True,
            make=partial(self.make, settings),
        )


def _label_selection(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that select the most likely labels, and of all nodes downstream.

    Probabilities of a thousand classes do not fit the range of 8 bits, and cost no time.
    """
    chosen = {name for node in graph.node if node.op_type == "TopK" for name in node.input}
    reached = {name for node in graph.node if node.op_type == "TopK" for name in node.output}
    names: list[str] = []
    for node in graph.node:  # in topological order
        if reached.intersection(node.input):
            reached.update(node.output)
        if reached.intersection(node.output) or chosen.intersection(node.output):
            names.append(node.name)
    return [name for name in names if name]
