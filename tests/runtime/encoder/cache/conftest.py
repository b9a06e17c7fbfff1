"""Encoders with a cache and without."""

import pytest

from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.encoder import Encoder


@pytest.fixture
def cache(tmp_path):
    made = EmbeddingCache(tmp_path / "vectors.sqlite")
    yield made
    made.close()


@pytest.fixture
def cached(tiny_path, cache):
    with Encoder.load(tiny_path, variant="int8", cache=cache) as made:
        yield made


@pytest.fixture
def plain(tiny_path):
    with Encoder.load(tiny_path, variant="int8") as made:
        yield made
