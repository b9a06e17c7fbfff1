"""Haystack: its own pipelines and standard tests of stores, over a bundle and an index."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeembed import Index, InputError
from helpers import tiny_bundle

pytest.importorskip("haystack", reason="Haystack runs in an environment of its own")
pytestmark = pytest.mark.filterwarnings("ignore")

from haystack import Pipeline  # noqa: E402
from haystack.dataclasses import ByteStream, Document  # noqa: E402
from haystack.document_stores.errors import DuplicateDocumentError  # noqa: E402
from haystack.errors import FilterError  # noqa: E402
from haystack.testing import document_store as standard  # noqa: E402

from edgeembed.integrations.haystack_ai import (  # noqa: E402
    EdgeEmbedDocumentEmbedder,
    EdgeEmbedDocumentStore,
    EdgeEmbedRetriever,
    EdgeEmbedTextEmbedder,
)

TEXTS = ["the cat sat on the mat", "the dog ran in the rain", "cook soup of tomato"]
WIDE = 768  # the embeddings of the standard tests


@pytest.fixture(scope="session")
def wide_path(tmp_path_factory):
    return tiny_bundle.write_tiny_bundle(tmp_path_factory.mktemp("wide") / "wide.bundle", dim=WIDE)


@pytest.fixture
def store(wide_path, tmp_path):
    made = EdgeEmbedDocumentStore(str(tmp_path / "index"), str(wide_path))
    with made.index:
        yield made


class TestStandard(
    standard.DocumentStoreBaseExtendedTests,
    standard.CountDocumentsByFilterTest,
):
    @pytest.fixture
    def document_store(self, store):
        return store

    @staticmethod
    def assert_documents_are_equal(received, expected):
        """An index keeps the direction of a vector as float32, and its length."""
        for one, other in zip(received, expected, strict=True):
            assert (one.embedding is None) == (other.embedding is None)
            if one.embedding is not None:
                np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-6)
        plain = [replace(each, embedding=None) for each in expected]
        assert [replace(each, embedding=None) for each in received] == plain

    def test_write_documents(self, document_store):
        document = Document(content="a text")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


def test_embedders_give_the_encoders_vectors(tiny_path, encoder):
    documents = [Document(content=text, meta={"title": "cats"}) for text in TEXTS]
    place: Any = {"bundle": str(tiny_path), "variant": "fp32"}
    made = EdgeEmbedDocumentEmbedder(**place)
    expected, query = encoder.encode_document(TEXTS), encoder.encode_query("a cat")

    def same(vectors, expected):
        np.testing.assert_array_equal(np.array(vectors, np.float32), expected)

    same([d.embedding for d in made.run(documents)["documents"]], expected)
    same([d.embedding for d in asyncio.run(made.run_async(documents))["documents"]], expected)
    assert documents[0].embedding is None
    titled = EdgeEmbedDocumentEmbedder(**place, meta_fields_to_embed=["title", "none"])
    (first, *_) = titled.run(documents)["documents"]
    same(first.embedding, encoder.encode_document(f"cats\n{TEXTS[0]}"))
    asked = EdgeEmbedTextEmbedder(**place)
    asked.warm_up()
    same(asked.run("a cat")["embedding"], query)
    same(asyncio.run(asked.run_async("a cat"))["embedding"], query)


def test_a_pipeline_is_written_down_and_finds_what_the_index_finds(tiny_path, encoder, tmp_path):
    place: Any = {"bundle": str(tiny_path), "variant": "fp32"}
    store = EdgeEmbedDocumentStore(str(tmp_path / "index"), **place)
    store.write_documents([Document(content=text, meta={"at": i}) for i, text in enumerate(TEXTS)])
    store.index.close()
    made = Pipeline()
    made.add_component("embedder", EdgeEmbedTextEmbedder(**place))
    made.add_component("retriever", EdgeEmbedRetriever(store, top_k=2))
    made.connect("embedder.embedding", "retriever.query_embedding")
    loaded = Pipeline.loads(made.dumps(), allowed_modules=["edgeembed"])
    asked = {"embedder": {"text": "tomato soup"}, "retriever": {"query": "tomato soup"}}
    found = loaded.run(asked)["retriever"]["documents"]
    loaded.get_component("retriever").document_store.index.close()
    with Index.open(tmp_path / "index", encoder=encoder) as index:
        hits = index.search("tomato soup", 2)
    assert [(each.id, each.score) for each in found] == [(hit.key, hit.score) for hit in hits]
    assert found[0].content == TEXTS[2]
    assert found[0].meta == {"at": 2}


def test_filters_reach_the_retriever(store):
    store.write_documents([Document(content=text, meta={"at": i}) for i, text in enumerate(TEXTS)])
    first = {"field": "meta.at", "operator": "==", "value": 0}
    retriever = EdgeEmbedRetriever(store, filters=first)
    assert [d.meta["at"] for d in retriever.run("soup")["documents"]] == [0]
    last = {"field": "meta.at", "operator": ">", "value": 1}
    assert [d.meta["at"] for d in retriever.run("soup", filters=last)["documents"]] == [2]
    with pytest.raises(FilterError, match=r"at: expected an operator of ==, .*, got '~'"):
        retriever.run("soup", filters={"field": "at", "operator": "~", "value": 1})


def test_a_document_comes_back_with_all_that_it_has(store):
    written = [
        Document(blob=ByteStream(b"bytes", mime_type="image/png"), meta={"deep": {"a": [1, None]}}),
        Document(content="a text", embedding=[3.0] + [0.0] * (WIDE - 1)),
    ]
    store.write_documents(written)
    assert store.filter_documents() == written


def test_an_embedding_that_does_not_fit_is_refused(store):
    with pytest.raises(InputError, match=r"768"):
        store.write_documents([Document(content="a", embedding=[1.0, 2.0])])
    assert store.count_documents() == 0
