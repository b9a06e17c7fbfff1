"""Whether a text's vector depends on the padding that a longer neighbor brings."""

from dataclasses import dataclass

from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.validation.parity import FP32_COSINE, module_vectors, original_errors
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.encoder.self_test import rowwise_cosine

# The first probe texts: sentences of different lengths, none near the model's limit.
_TEXTS = 32


@dataclass(frozen=True, kw_only=True)
class PaddingEffect:
    """Whether the exported module may pad, and what to say of padding."""

    allowed: bool
    notes: tuple[str, ...]


def padding_effect(source: TextSource, golden: Golden) -> PaddingEffect:
    """Compare texts in batches with the golden vectors, which were made one at a time.

    Raises:
        ConversionError: the model fails on a batch.
    """
    texts, alone = list(golden.texts[:_TEXTS]), golden.vectors[:_TEXTS]
    padded = float(rowwise_cosine(alone, module_vectors(source, texts)).min())
    notes: list[str] = []
    if source.witness is not None:
        with original_errors(source.name):
            together = source.witness.encode(texts)
        lowest = float(rowwise_cosine(alone, together).min())
        if lowest < FP32_COSINE:
            notes.append(
                f"in the original, a text's vector depends on its neighbors in the batch (cosine "
                f"down to {lowest:.4f}); the bundle gives that of the text alone"
            )
    if padded < FP32_COSINE:
        notes.append("texts are never padded: with padding, the model gives other vectors")
    return PaddingEffect(allowed=padded >= FP32_COSINE, notes=tuple(notes))
