"""Vectors and encoders for the index tests."""

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest


def _vectors(n, dim=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


@dataclass
class FakeEncoder:
    """Hashes characters to a vector: deterministic, equal texts get equal vectors."""

    dim: int = 16
    space: str = "fake-1"
    similarity_name: str = "cosine"
    normalized: bool = True

    def _one(self, text):
        seed = sum((i + 1) * ord(c) for i, c in enumerate(text)) + 1
        return np.random.default_rng(seed).normal(size=self.dim).astype(np.float32)

    def encode_query(self, inputs):
        if isinstance(inputs, str):
            return self._one(inputs)
        return np.stack([self._one(text) for text in inputs])

    def encode_document(self, inputs):
        return self.encode_query(inputs)


@pytest.fixture
def vectors():
    return _vectors


@pytest.fixture
def encoder():
    return FakeEncoder()


@pytest.fixture
def make_encoder():
    return FakeEncoder


@pytest.fixture
def brute_force():
    """An independent reference: float64 cosines, ties by position."""

    def rank(matrix, query, k):
        a = matrix.astype(np.float64)
        q = np.asarray(query, dtype=np.float64)
        scores = (a @ q) / (np.linalg.norm(a, axis=1) * np.linalg.norm(q))
        order = np.argsort(-np.round(scores, 9), kind="stable")[:k]
        return order.tolist(), scores[order]

    return rank


@pytest.fixture
def start_python():
    """Start a child Python that finds the same packages; it does not outlive the test."""
    children = []

    def start(code, *args):
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
            child.communicate()
