"""Dynamic int8: 8-bit weights, and activations that are scaled while the model runs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import onnx

from edgeembed_converters.graph.attention_blocks import WHOLE_TOKENS, attend_in_blocks
from edgeembed_converters.graph.linears import linear_nodes, weight_matrices
from edgeembed_converters.graph.strip_mask import unpadded
from edgeembed_converters.graph.weights import one_file
from edgeembed_converters.quantization.integer.activations import Activations, measured_activations
from edgeembed_converters.quantization.integer.embedding_rows import quantize_embedding_rows
from edgeembed_converters.quantization.integer.layers import with_integer_layers
from edgeembed_converters.quantization.integer.residual import with_residual
from edgeembed_converters.quantization.integer.sensitivity import most_sensitive_first
from edgeembed_converters.quantization.integer.smoothing import Smoothed, smoothed
from edgeembed_converters.quantization.integer.weights import WeightRounder
from edgeembed_converters.quantization.trial.baseline import Baseline
from edgeembed_converters.quantization.trial.bits import Bits, required_features
from edgeembed_converters.quantization.trial.candidate import (
    Candidate,
    load_unquantized,
    quantization_errors,
)
from edgeembed_runtime.errors import ConversionError

# For layers with a second pass: less has to move into the weights where the input loses less.
_SMOOTHING_WITH_RESIDUAL = 0.4
# The paper's strength of 0.5 is worse than none where scales are dynamic; from 0.7 to 0.85 next to
# nothing changes (docs/notes/quantization.md). A model without outliers may do better without.
_STRENGTHS = (None, 0.75)
# Shares of the layers that get a second pass, where the rest is not enough.
_SHARES = (1 / 24, 1 / 12, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1)
_RANKED_BY = 24  # texts; all of them would not change the order


@dataclass(frozen=True, kw_only=True)
class DynamicSettings:
    """The settings of one dynamic int8 candidate."""

    bits: Bits = 8
    smoothing: float | None = None
    """The strength of `smoothed`; None leaves the model as it is."""
    residual_layers: int = 0
    """How many layers, the most sensitive first, get a second pass: see `with_residual`."""

    @property
    def description(self) -> str:
        """The manifest's name for it."""
        parts = ["dynamic int8", f"{self.bits}-bit weights by GPTQ"]
        if self.smoothing is not None:
            parts.append(f"smoothed {self.smoothing:g}")
        if self.residual_layers:
            number = self.residual_layers
            parts.append(f"second pass of {number} layer{'s' if number > 1 else ''}")
        return ", ".join(parts)


class DynamicMaker:
    """Makes dynamic int8 models of one baseline; shared work is done once, when first needed.

    Every method and property raises ConversionError if the graph cannot be quantized.
    """

    def __init__(self, baseline: Baseline) -> None:
        """Parse the fp32 model."""
        self._calibration = baseline.calibration
        self._max_tokens = baseline.max_tokens
        self._rankings: dict[float | None, tuple[str, ...]] = {}
        padded = load_unquantized(baseline.fp32)
        with quantization_errors():
            tokens = self._max_tokens
            faster = None if tokens is None else unpadded(padded, tokens)
        self._padding = faster is None
        self._graph = faster or padded
        self._layers = len(linear_nodes(self._graph.graph))
        self._require_something_to_quantize()

    def fastest(self, bits: Bits) -> Sequence[Candidate]:
        """One candidate for each strength of smoothing."""
        strengths = _STRENGTHS if self._layers else _STRENGTHS[:1]
        return [self._candidate(DynamicSettings(bits=bits, smoothing=s)) for s in strengths]

    def make(self, settings: DynamicSettings) -> bytes:
        """The ONNX model with these settings."""
        two_pass: tuple[str, ...] = ()
        if settings.residual_layers:
            two_pass = self._ranking(settings.smoothing)[: settings.residual_layers]
        found = self._smoothed(settings.smoothing, two_pass)
        with quantization_errors():
            weights = self._rounder.integer_weights(found, settings.bits)
            model = with_integer_layers(with_residual(found.model, two_pass), weights)
            if self._max_tokens is not None and self._max_tokens > WHOLE_TOKENS:
                attend_in_blocks(model)
            return one_file(model)

    def _candidate(self, settings: DynamicSettings) -> Candidate:
        return Candidate(
            description=settings.description,
            requires=required_features(settings.bits),
            padding=self._padding,
            make=partial(self.make, settings),
            closer=partial(self._closer, settings),
        )

    def _closer(self, settings: DynamicSettings) -> Iterator[Candidate]:
        layers = self._layers
        counts = (max(1, round(share * layers)) for share in _SHARES if layers)
        for count in dict.fromkeys(counts):
            yield self._candidate(replace(settings, residual_layers=count))

    @cached_property
    def _small_embeddings(self) -> onnx.ModelProto:
        return quantize_embedding_rows(self._graph)

    @cached_property
    def _activations(self) -> Mapping[str, Activations]:
        with quantization_errors():
            return measured_activations(self._graph, self._calibration)

    @cached_property
    def _rounder(self) -> WeightRounder:
        return WeightRounder(self._graph, self._activations)

    def _ranking(self, smoothing: float | None) -> tuple[str, ...]:
        if smoothing not in self._rankings:
            step = max(1, len(self._calibration) // _RANKED_BY)
            with quantization_errors():
                self._rankings[smoothing] = most_sensitive_first(
                    self._smoothed(smoothing, ()).model, self._calibration[::step]
                )
        return self._rankings[smoothing]

    def _smoothed(self, strength: float | None, two_pass: Collection[str]) -> Smoothed:
        model = self._small_embeddings
        if strength is None:
            return Smoothed(model=model, scales={})
        names = (node.output[0] for node, _ in linear_nodes(model.graph))
        strengths = {n: _SMOOTHING_WITH_RESIDUAL if n in two_pass else strength for n in names}
        maxima = {name: found.maxima for name, found in self._activations.items()}
        return smoothed(model, maxima, strengths)

    def _require_something_to_quantize(self) -> None:
        unchanged = len(self._small_embeddings.graph.node) == len(self._graph.graph.node)
        if unchanged and not weight_matrices(self._graph.graph):
            raise ConversionError(
                "the model has no linear layers and no embedding tables to quantize; use fp32"
            )
