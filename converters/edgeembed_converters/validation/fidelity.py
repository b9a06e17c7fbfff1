"""What is measured of a variant of a text model: its closeness to the original, and its speed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeembed_converters.quantization.trial.calibration import token_ids
from edgeembed_converters.quantization.trial.subject import Subject, Trial
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.speed import speedup, this_machine
from edgeembed_runtime.bundle import Fidelity, Golden, Variant
from edgeembed_runtime.engine.base import feeds
from edgeembed_runtime.errors import InferenceError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer


def measured_fidelity(model: bytes, tokenizer: TextTokenizer, golden: Golden) -> Fidelity:
    """Run the golden texts through an ONNX model, and compare with the original's vectors.

    A model that cannot be run on one of them, or gives NaN, is as far from the original as can be.
    """
    engine = parity.engine_of(model, tokenizer)
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
    engines = [parity.engine_of(each, tokenizer) for each in (model, base)]
    try:
        return speedup(engines[0], engines[1], texts)
    except InferenceError:
        return 0.0
    finally:
        for engine in engines:
            engine.close()


def text_subject(
    fp32: Path, tokenizer: TextTokenizer, golden: Golden, calibration: Sequence[str]
) -> Subject:
    """A text model's fp32 file as what is to be made smaller."""
    base = fp32.read_bytes()
    return Subject(
        path=fp32,
        max_tokens=tokenizer.max_tokens,
        calibration=[feeds(ids[None, :]) for ids in token_ids(tokenizer, calibration)],
        fidelity=lambda model: measured_fidelity(model, tokenizer, golden),
        speedup=lambda model: measured_speedup(model, base, tokenizer, golden.texts),
    )


def as_variant(name: str, trial: Trial) -> Variant:
    """How the manifest describes a model that was made."""
    return Variant(
        name=name,
        file=f"{name}.onnx",
        requires=trial.requires,
        padding=trial.padding,
        recipe=trial.recipe,
        fidelity=trial.fidelity,
        speedup=trial.speedup,
        measured_on=this_machine(),
    )
