"""What a caller hands over and calls back may raise: its own error comes out, nothing is half done.

An encoder or reranker may also return anything at all: that is a typed error.
"""

import multiprocessing
import warnings

import numpy as np
import pytest

from edgeembed import (
    EdgeEmbedError,
    Encoder,
    Index,
    RerankError,
    TruncationWarning,
)
from helpers.odd_values import odd_values
from helpers.tiny_bundle import DIM

VECTORS = np.eye(DIM)


class OwnError(Exception):
    """The caller's."""


class Fake:
    """An encoder that does as it is told."""

    dim, space, similarity_name, normalized = DIM, "mine", "cosine", True

    def __init__(self):
        self.answer = None

    def encode_query(self, inputs):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    encode_document = encode_query

    def rerank(self, query, documents):
        return self.encode_query(documents)


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def index(tmp_path, fake):
    with Index.create(tmp_path / "i", encoder=fake) as index:
        index.upsert(["a", "b"], documents=["one", "two"], vectors=VECTORS[:2])
        yield index
        assert list(index.keys()) == ["a", "b"]
        assert index.generation == 1 and index.verify().ok
        index.upsert(["c"], documents=["three"], vectors=VECTORS[2:3])
        assert [hit.key for hit in index.search(VECTORS[2], 1)] == ["c"]


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, threads=2) as loaded:
        yield loaded


def broken(*items):
    yield from items
    raise OwnError


def test_iterators_that_end_in_an_error(index, encoder):
    for call in (
        lambda: index.upsert(broken("x"), vectors=VECTORS[:1]),
        lambda: index.upsert(["x"], documents=broken("x"), vectors=VECTORS[:1]),
        lambda: index.upsert(["x"], metadatas=broken({}), vectors=VECTORS[:1]),
        lambda: index.upsert(["x"], vectors=VECTORS[:1], delete=broken("a")),
        lambda: index.delete(broken("a")),
        lambda: index.get(broken("a")),
        lambda: index.search(VECTORS[0], exclude=broken("a")),
        lambda: index.recommend(broken("a")),
        lambda: encoder.encode(broken("cat")),
        lambda: list(encoder.encode_iter(broken("cat", "dog"))),
    ):
        with pytest.raises(OwnError):
            call()
    vectors = encoder.encode_iter(broken("cat", "dog"))
    expected = encoder.encode(["cat", "dog"])
    assert [next(vectors).tobytes() for _ in expected] == [row.tobytes() for row in expected]


def test_an_encoder_that_raises(index, fake):
    fake.answer = OwnError()
    for call in (
        lambda: index.upsert(["x"], documents=["text"]),
        lambda: index.search("text"),
        lambda: index.search_many(["text", "more"]),
    ):
        with pytest.raises(OwnError):
            call()
    with pytest.raises(RerankError) as caught:
        index.search("one", mode="keyword", rerank=fake)
    assert isinstance(caught.value.__cause__, OwnError)


def test_an_encoder_that_returns_anything(index, fake):
    for what, answer in odd_values().items():
        if what == "range":
            continue
        fake.answer = answer
        for call in (
            lambda: index.upsert(["x"], documents=["text"]),
            lambda: index.search("text"),
            lambda: index.search("one", mode="keyword", rerank=fake),
        ):
            try:
                call()
            except EdgeEmbedError:
                continue
            assert call is not None and what not in ("None", "NUL"), what


def test_progress_that_raises(encoder):
    def shown(done, total):
        raise OwnError

    with pytest.raises(OwnError):
        encoder.encode(["cat", "dog"], show_progress_bar=shown)
    assert encoder.encode(["cat", "dog"]).shape == (2, DIM)


def test_warnings_that_are_errors(index, encoder):
    long = "cat " * 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (
            lambda: encoder.encode(long, truncation="warn"),
            lambda: encoder.encode([long, "cat"], truncation="warn"),
            lambda: list(encoder.encode_iter([long, "cat"], truncation="warn")),
        ):
            with pytest.raises(TruncationWarning):
                call()
    assert encoder.encode("cat").shape == (DIM,)


def _in_another_process(encoder, answers):
    answers.put(encoder.encode(["cat", "dog"]).tobytes())


def test_an_encoder_in_a_spawned_process(encoder):
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=_in_another_process, args=(encoder, answers))
    process.start()
    found = answers.get()
    process.join()
    assert process.exitcode == 0
    assert found == encoder.encode(["cat", "dog"]).tobytes()
