"""An encoder that knows some words only, and says so."""

from dataclasses import dataclass

import numpy as np
import pytest

from edgeembed import Calibration, SearchProfile

KNOWN = ("cat", "dog", "mouse", "house", "river", "boat", "rain", "sun")
PROFILE = SearchProfile(weight=0.5, calibration=Calibration(slope=10, intercept=-5))


@dataclass
class WordsEncoder:
    """The sum of a vector for each word that it knows, and one and the same for all others."""

    dim: int = 16
    space: str = "words-1"
    similarity_name: str = "cosine"
    normalized: bool = True
    search_profile: SearchProfile = PROFILE

    def knows(self, texts):
        return [any(word in KNOWN for word in text.lower().split()) for text in texts]

    def _one(self, text):
        seeds = [KNOWN.index(w) for w in text.lower().split() if w in KNOWN] or [99]
        rows = [np.random.default_rng(seed).normal(size=self.dim) for seed in seeds]
        return np.sum(rows, axis=0).astype(np.float32)

    def encode_query(self, inputs):
        return self._one(inputs) if isinstance(inputs, str) else self.encode_document(inputs)

    def encode_document(self, inputs):
        return np.stack([self._one(text) for text in inputs])


@pytest.fixture
def words_encoder():
    return WordsEncoder()


@pytest.fixture
def make_words_encoder():
    return WordsEncoder
