"""A model whose vectors the test chooses, and files of data sets."""

import json
from typing import Any

import numpy as np
import pytest

from edgeembed.evaluate.models.model import ComparesVectors


class ChosenVectors(ComparesVectors):
    """A model that has the vectors it is given, and no others: NaN for any other text."""

    megabytes = None

    def __init__(
        self, vectors, name="chosen", key=None, vocabulary=None, similarity: Any = "cosine"
    ):
        super().__init__(similarity)
        self.vectors = {text: np.asarray(v, np.float32) for text, v in vectors.items()}
        self.name, self.key, self.words = name, key, vocabulary
        self.dim = len(next(iter(self.vectors.values())))
        self.asked = []

    def encode(self, texts, role):
        self.asked.append((role, tuple(texts)))
        missing = np.full(self.dim, np.nan, np.float32)
        return np.stack([self.vectors.get(text, missing) for text in texts])

    def features(self, texts):
        return self.encode(texts, "plain")

    def vocabulary(self):
        return self.words


@pytest.fixture
def chosen():
    return ChosenVectors


@pytest.fixture
def random_vectors():
    """Seeded random vectors of texts."""

    def make(texts, dim=8, seed=0):
        rng = np.random.default_rng(seed)
        return {text: rng.standard_normal(dim) for text in dict.fromkeys(texts)}

    return make


@pytest.fixture
def write(tmp_path):
    """Write a file of lines, or of JSON records, and return its path."""

    def make(name, lines):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return path

    return make


@pytest.fixture
def beir(write, tmp_path):
    """A folder in BEIR's form; judgments are (query, document, gain)."""

    def make(documents, queries, judgments, split="test", name="set"):
        write(f"{name}/corpus.jsonl", documents)
        write(f"{name}/queries.jsonl", queries)
        rows = ["query-id\tcorpus-id\tscore", *(f"{q}\t{d}\t{g}" for q, d, g in judgments)]
        write(f"{name}/qrels/{split}.tsv", rows)
        return tmp_path / name

    return make
