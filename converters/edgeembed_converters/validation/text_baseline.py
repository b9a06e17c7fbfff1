"""The fp32 baseline of a text model: measures how close and how fast other ONNX models are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_converters.graph.intermediate_values import Feeds
from edgeembed_converters.quantization.trial.calibration import token_ids
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.speed import speedup
from edgeembed_runtime.bundle import Fidelity, Golden
from edgeembed_runtime.engine.base import feeds
from edgeembed_runtime.errors import InferenceError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer


def measured_fidelity(model: bytes, tokenizer: TextTokenizer, golden: Golden) -> Fidelity:
    """Run the golden texts through an ONNX model and compare with the original's vectors.

    A model that fails on one of them, or returns NaN, gets zero vectors: the worst fidelity.
    """
    engine = parity.engine_for(model, tokenizer)
    try:
        found = parity.runtime_vectors(engine, golden.texts)
    except InferenceError:
        found = np.zeros_like(golden.vectors)
    finally:
        engine.close()
    return parity.fidelity(golden.vectors, found)


def measured_speedup(
    model: bytes, base: bytes, tokenizer: TextTokenizer, texts: Sequence[str]
) -> float:
    """How many times as fast as `base` a model is on this machine; 0 if it cannot be run."""
    engines = [parity.engine_for(each, tokenizer) for each in (model, base)]
    try:
        return speedup(engines[0], engines[1], texts)
    except InferenceError:
        return 0.0
    finally:
        for engine in engines:
            engine.close()


@dataclass(frozen=True, kw_only=True)
class TextBaseline:
    """An fp32 ONNX text model, its golden texts, and texts to calibrate on."""

    model: bytes
    tokenizer: TextTokenizer
    golden: Golden
    calibration_texts: Sequence[str]

    @property
    def max_tokens(self) -> int:
        """The length of the longest text that the model will get."""
        return self.tokenizer.max_tokens

    @property
    def calibration(self) -> Sequence[Feeds]:
        """The calibration texts that have tokens, as inputs of the graph."""
        return [feeds(ids[None, :]) for ids in token_ids(self.tokenizer, self.calibration_texts)]

    def fidelity(self, model: bytes) -> Fidelity:
        """See `measured_fidelity`."""
        return measured_fidelity(model, self.tokenizer, self.golden)

    def speedup(self, model: bytes) -> float:
        """See `measured_speedup`."""
        return measured_speedup(model, self.model, self.tokenizer, self.golden.texts)
