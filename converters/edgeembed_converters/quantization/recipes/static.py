"""onnxruntime's static int8: ranges of activations measured beforehand. For convolution networks.

Convolutions have no dynamic int8 operator that is fast.
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
from edgeembed_converters.graph.probe import Feeds
from edgeembed_converters.quantization.integer.bias_correction import bias_corrected
from edgeembed_converters.quantization.trial.bits import Bits
from edgeembed_converters.quantization.trial.candidate import (
    Candidate,
    require_unquantized,
    required_features,
)
from edgeembed_converters.quantization.trial.errors import quantization_errors
from edgeembed_converters.quantization.trial.subject import Subject
from edgeembed_runtime import storage

Ranges = Literal["min-max", "percentile"]
_RANGES: tuple[Ranges, ...] = ("min-max", "percentile")


@dataclass(frozen=True, kw_only=True)
class StaticRecipe:
    """How a model is made int8."""

    bits: Bits = 8
    ranges: Ranges = "min-max"

    @property
    def name(self) -> str:
        """How the manifest calls it."""
        return f"static int8, {self.bits}-bit weights per channel, {self.ranges} ranges"


class StaticMaker:
    """Makes static int8 models of one original."""

    def __init__(self, subject: Subject) -> None:
        """Read the original.

        Raises:
            ConversionError: it is no ONNX model, or quantized already.
        """
        self._calibration = subject.calibration
        with quantization_errors():
            self._graph = onnx.load(subject.path)
        require_unquantized(self._graph)

    def fastest(self, bits: Bits) -> Sequence[Candidate]:
        """One candidate for each way to measure ranges."""
        # Probabilities are too much alike for the histograms that percentiles are taken from.
        kinds = _RANGES[:1] if _choice_of_labels(self._graph.graph) else _RANGES
        return [self._candidate(StaticRecipe(bits=bits, ranges=ranges)) for ranges in kinds]

    def make(self, recipe: StaticRecipe) -> bytes:
        """The ONNX model that a recipe gives.

        Raises:
            ConversionError: onnxruntime could not quantize it.
        """
        from onnxruntime.quantization import (
            CalibrationDataReader,
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )

        class Reader(CalibrationDataReader):
            """Calibration inputs as the quantizer takes them."""

            def __init__(self, inputs: Sequence[Feeds]) -> None:
                self._inputs = iter(inputs)

            def get_next(self) -> Any:
                return next(self._inputs, None)

        methods = {"min-max": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
        with tempfile.TemporaryDirectory() as folder, quantization_errors():
            source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
            corrected = bias_corrected(self._graph, self._calibration, recipe.bits)
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
                    reduce_range=recipe.bits == 7,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    calibrate_method=methods[recipe.ranges],
                    nodes_to_exclude=_choice_of_labels(corrected.graph),
                )
                return target.read_bytes()

    def _candidate(self, recipe: StaticRecipe) -> Candidate:
        return Candidate(
            name=recipe.name,
            requires=required_features(recipe.bits),
            padding=True,
            make=partial(self.make, recipe),
            closer=lambda: iter(()),
        )


def _choice_of_labels(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that choose the likeliest labels, and of all behind them.

    Probabilities of a thousand classes have no range that 8 bits could hold, and cost no time.
    """
    chosen = {name for node in graph.node if node.op_type == "TopK" for name in node.input}
    reached = {name for node in graph.node if node.op_type == "TopK" for name in node.output}
    names: list[str] = []
    for node in graph.node:  # in the order in which they run
        if reached.intersection(node.input):
            reached.update(node.output)
        if reached.intersection(node.output) or chosen.intersection(node.output):
            names.append(node.name)
    return [name for name in names if name]
