"""onnxruntime's static int8: ranges of activations measured beforehand. For convolution networks.

Convolutions have no dynamic int8 operator that is fast; transformers lose too much by fixed ranges.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from edgeembed_converters.export.inner_values import Feeds, inner_values
from edgeembed_converters.quantization.candidate import (
    Bits,
    Candidate,
    counts_of,
    required_features,
)
from edgeembed_converters.quantization.errors import quantization_errors
from edgeembed_converters.quantization.sensitivity import rounded
from edgeembed_converters.quantization.subject import Subject
from edgeembed_converters.quiet import quiet_logging
from edgeembed_runtime import storage

Ranges = Literal["min-max", "percentile"]
_RANGES: tuple[Ranges, ...] = ("min-max", "percentile")
_QUANTIZED = ("Conv", "Gemm", "MatMul")
# Shares of the layers that stay in fp32, the most sensitive first, when all else is not enough.
_SHARES = (1 / 24, 1 / 12, 1 / 6, 1 / 4, 1 / 2)
_RANKED_BY = 16  # inputs; all of them would not change the order


@dataclass(frozen=True, kw_only=True)
class StaticRecipe:
    """How a model is made int8. `kept` of its layers, the most sensitive first, stay in fp32."""

    bits: Bits = 8
    ranges: Ranges = "min-max"
    kept: int = 0

    @property
    def name(self) -> str:
        """How the manifest calls it."""
        name = f"static int8, {self.bits}-bit weights per channel, {self.ranges} ranges"
        layers = f"{self.kept} layer{'s' if self.kept > 1 else ''}"
        return f"{name}, {layers} in fp32" if self.kept else name


class StaticMaker:
    """Makes static int8 models of one original."""

    def __init__(self, subject: Subject) -> None:
        """Read the original.

        Raises:
            ConversionError: it is no ONNX model.
        """
        self._calibration = subject.calibration
        with quantization_errors():
            self._graph = onnx.load(subject.path)
        for number, node in enumerate(self._graph.graph.node):
            node.name = node.name or f"node_{number}"
        self._layers = [n for n in self._graph.graph.node if n.op_type in _QUANTIZED]

    def fastest(self, bits: Bits) -> Sequence[Candidate]:
        """One candidate for each way to measure ranges."""
        return [self._candidate(StaticRecipe(bits=bits, ranges=ranges)) for ranges in _RANGES]

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
            storage.write_file(source, self._graph.SerializeToString())
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
                    nodes_to_exclude=list(self._ranking[: recipe.kept]),
                    # Or what a layer in fp32 takes would be rounded where it is made.
                    extra_options={"OpTypesToExcludeOutputQuantization": list(_QUANTIZED)},
                )
                return target.read_bytes()

    def _candidate(self, recipe: StaticRecipe) -> Candidate:
        return Candidate(
            name=recipe.name,
            requires=required_features(recipe.bits),
            padding=True,
            make=partial(self.make, recipe),
            closer=partial(self._closer, recipe),
        )

    def _closer(self, recipe: StaticRecipe) -> Iterator[Candidate]:
        for kept in counts_of(len(self._layers), _SHARES):
            yield self._candidate(replace(recipe, kept=kept))

    @cached_property
    def _ranking(self) -> tuple[str, ...]:
        """The names of the layers, those first whose input loses most by being rounded."""
        inputs = {node.name: node.input[0] for node in self._layers}
        watched = sorted(set(inputs.values()))
        lost = dict.fromkeys(watched, 0.0)
        step = max(1, len(self._calibration) // _RANKED_BY)
        given = {value.name for value in self._graph.graph.input}
        inner = [name for name in watched if name not in given]
        for feeds in self._calibration[::step]:
            values = {name: np.asarray(feeds[name], np.float32) for name in given & set(watched)}
            values |= next(inner_values(self._graph, inner, [feeds]), {})
            for name, value in values.items():
                error = np.square(rounded(value) - value).sum()
                lost[name] += float(error / max(np.square(value).sum(), 1e-30))
        return tuple(sorted(inputs, key=lambda name: lost[inputs[name]], reverse=True))
