"""The fp32 baseline of a text model: measures how close and how fast other ONNX models are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_converters.graph.attention_blocks import WHOLE_TOKENS
from edgeembed_converters.graph.intermediate_values import Feeds
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.trial.calibration import token_ids
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.speed import speedup
from edgeembed_runtime.bundle import Fidelity, Golden
from edgeembed_runtime.engine.base import Engine, feeds
from edgeembed_runtime.engine.padded import PaddedEngine
from edgeembed_runtime.engine.schedule import schedule_for
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.engine.unpadded import UnpaddedEngine
from edgeembed_runtime.errors import InferenceError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# Of a padded batch: a GPU takes more, but here the scores of attention must fit into memory.
_PADDED_TOKENS = 2_048


def measured_fidelity(
    model: OnnxModel, tokenizer: TextTokenizer, golden: Golden, *, padded: bool = False
) -> Fidelity:
    """Run the golden texts through an ONNX model and compare with the original's vectors.

    One by one as on the CPU, or in padded batches as on a GPU.
    A model that fails on one of them, or returns NaN, gets zero vectors: the worst fidelity.
    """
    engine = _engine(model, tokenizer, padded=padded)
    try:
        found = parity.runtime_vectors(engine, golden.texts)
    except InferenceError:
        found = np.zeros_like(golden.vectors)
    finally:
        engine.close()
    return parity.fidelity(golden.vectors, found)


def measured_speedup(
    model: OnnxModel, base: OnnxModel, tokenizer: TextTokenizer, texts: Sequence[str]
) -> float:
    """How many times as fast as `base` a model is on this machine; 0 if it cannot be run."""
    engines = [_engine(each, tokenizer) for each in (model, base)]
    try:
        return speedup(engines[0], engines[1], texts)
    except InferenceError:
        return 0.0
    finally:
        for engine in engines:
            engine.close()


def _engine(model: OnnxModel, tokenizer: TextTokenizer, *, padded: bool = False) -> Engine:
    """The runtime's engine for a model that is not in a bundle yet."""

    def opened(settings: SessionSettings) -> Session:
        return model.session("the new model", settings)

    schedule = schedule_for("throughput", None)
    if not padded:
        return UnpaddedEngine(tokenizer=tokenizer, open_session=opened, schedule=schedule)
    return PaddedEngine(
        tokenizer=tokenizer,
        open_session=opened,
        schedule=schedule,
        fixed=False,
        token_budget=_PADDED_TOKENS,
    )


@dataclass(frozen=True, kw_only=True)
class TextBaseline:
    """An fp32 ONNX text model, its golden texts, and texts to calibrate on."""

    fp32: OnnxModel
    tokenizer: TextTokenizer
    golden: Golden
    calibration_texts: Sequence[str]

    @property
    def max_tokens(self) -> int:
        """The length of the longest text that the model will get."""
        return self.tokenizer.max_tokens

    @property
    def model(self) -> bytes:
        """The fp32 model as one ONNX file; raises TooLargeError."""
        return self.fp32.file

    @property
    def golden_inputs(self) -> Sequence[Feeds]:
        """The golden texts that have tokens, as inputs of the graph; not the longest."""
        return self._feeds(self._without_longest().texts)

    @property
    def calibration(self) -> Sequence[Feeds]:
        """The calibration texts that have tokens, as inputs of the graph."""
        return self._feeds(self.calibration_texts)

    def fidelity(self, model: bytes, *, padded: bool = False) -> Fidelity:
        """See `measured_fidelity`; padded batches are without the longest texts."""
        made = OnnxModel.in_one_file(model)
        golden = self._without_longest() if padded else self.golden
        return measured_fidelity(made, self.tokenizer, golden, padded=padded)

    def speedup(self, model: bytes) -> float:
        """See `measured_speedup`."""
        return measured_speedup(
            OnnxModel.in_one_file(model), self.fp32, self.tokenizer, self.golden.texts
        )

    def _without_longest(self) -> Golden:
        """The golden texts whose scores of attention fit into memory, all layers at once."""
        if self.max_tokens <= WHOLE_TOKENS:
            return self.golden
        ids = token_ids(self.tokenizer, self.golden.texts)
        rows = [row for row, each in enumerate(ids) if len(each) <= WHOLE_TOKENS]
        if len(ids) != len(self.golden.texts) or not rows:
            return self.golden
        texts = tuple(self.golden.texts[row] for row in rows)
        return Golden(texts=texts, vectors=self.golden.vectors[rows])

    def _feeds(self, texts: Sequence[str]) -> Sequence[Feeds]:
        return [feeds(ids[None, :]) for ids in token_ids(self.tokenizer, texts)]
