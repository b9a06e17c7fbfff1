"""Tiny models, their conversions, and the references that these are compared with."""

import functools

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from helpers.model_zoo import TEXTS, Converted, TinyModels, Toy


def pytest_configure(config):
    # Remarks of the libraries that these tests use as references, about themselves.
    for line in (
        "ignore::DeprecationWarning:sentence_transformers.*",
        "ignore::FutureWarning:sentence_transformers.*",
        "ignore::DeprecationWarning:huggingface_hub.*",
    ):
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> TinyModels:
    """The factory of tiny models."""
    return TinyModels(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def texts() -> tuple[str, ...]:
    """Texts of every kind."""
    return TEXTS


@pytest.fixture(scope="session")
def converted(tiny) -> Converted:
    """`converted(source, **options)` is convert() into a directory of its own, once per input."""
    return Converted(tiny)


@pytest.fixture(scope="session")
def toy_tokenizer(tiny) -> Tokenizer:
    """The toy's tokenizer; tests must not change it."""
    return tiny.wordpiece()


@pytest.fixture(scope="session")
def toy(toy_tokenizer) -> Toy:
    """A live module; tests must not change it."""
    torch.manual_seed(2)
    return Toy(toy_tokenizer.get_vocab_size()).eval()


@pytest.fixture(scope="session")
def convert_toy(toy, toy_tokenizer):
    """`convert_toy(output, **options)`."""

    def run(output, **options):
        return convert(toy, output, tokenizer=toy_tokenizer, max_tokens=20, **options)

    return run


@pytest.fixture(scope="session")
def toy_report(tiny, convert_toy):
    """A conversion of the toy with an int8 variant; tests must not change its bundle."""
    return convert_toy(tiny.new_path("bundle"), quantize="int8")


@pytest.fixture(scope="session")
def reference():
    """`reference(directory)` is sentence-transformers' own model of that directory."""
    from sentence_transformers import SentenceTransformer

    @functools.cache
    def load(directory):
        return SentenceTransformer(str(directory), device="cpu", local_files_only=True)

    return load


@pytest.fixture(scope="session")
def encode():
    """`encode(bundle, texts, variant="fp32", method="encode")`: the runtime's vectors."""

    def run(bundle, texts, variant="fp32", method="encode", **options):
        with Encoder.load(bundle, variant=variant) as encoder:
            return getattr(encoder, method)(list(texts), **options)

    return run


@pytest.fixture(scope="session")
def assert_same_vectors():
    """Every row of `found` has `expected`'s direction (cosine) and its length."""

    def check(expected, found, cosine=0.99999):
        expected, found = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        assert found.shape == expected.shape
        lengths = np.linalg.norm(expected, axis=1), np.linalg.norm(found, axis=1)
        cosines = (expected * found).sum(1) / (lengths[0] * lengths[1])
        assert cosines.min() >= cosine, cosines
        np.testing.assert_allclose(lengths[1], lengths[0], rtol=1e-4)
        # A reference whose texts are all alike would prove nothing.
        unit = expected / lengths[0][:, None]
        assert (unit @ unit.T).min() < 0.99

    return check
