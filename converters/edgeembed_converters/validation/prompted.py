"""Proof that prompts are put where the original puts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.sources.base.witness import Witness
from edgeembed_converters.validation.parity import FP32_COSINE, original_errors
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.errors import ParityError

# Short ones, and the last, which a prompt makes still longer than the model takes.
_PLACES = (0, 5, 9, 16, 19, -1)


@dataclass(frozen=True, kw_only=True)
class PromptedVectors:
    """What the methods of an Encoder must return, by name: (n, d) float32 for n texts."""

    texts: Sequence[str]
    vectors: Mapping[str, NDArray[np.float32]]

    def check(self, encoder: Encoder) -> None:
        """Compare with a bundle.

        Raises:
            ParityError: a method returns other vectors than the original's of that name.
        """
        texts = list(self.texts)
        methods = {
            "encode": encoder.encode,
            "encode_query": encoder.encode_query,
            "encode_document": encoder.encode_document,
        }
        for method, expected in self.vectors.items():
            lowest = rowwise_cosine(expected, methods[method](texts)).min()
            if not lowest >= FP32_COSINE:
                raise ParityError(
                    f"{method} does not return the original's vectors: expected a cosine of at "
                    f"least {FP32_COSINE} for every text, got {lowest:.6f}: prompts, lengths or "
                    "the sides of truncation differ"
                )


def prompted_vectors(name: str, witness: Witness, texts: Sequence[str]) -> PromptedVectors:
    """Run a witness on some of the probe texts, one at a time.

    Raises:
        ConversionError: the original fails on them.
    """
    chosen = [texts[place] for place in _PLACES]
    with original_errors(name):
        vectors = {
            method: np.concatenate([encode([text]) for text in chosen])
            for method, encode in witness.prompted.items()
        }
    return PromptedVectors(texts=chosen, vectors=vectors)
