"""LangChain: its own embeddings and store, over an Encoder and an Index."""

import asyncio
import warnings

import numpy as np
import pytest

from edgeembed import Encoder, Index, InputError

pytest.importorskip("langchain_core", minversion="1.0")
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

from edgeembed.integrations.langchain import (
    EdgeEmbedEmbeddings,
    EdgeEmbedVectorStore,
)

TEXTS = ["the cat sat on the mat", "the dog ran in the rain", "cook soup of tomato"]


@pytest.fixture
def store(encoder, tmp_path):
    made = EdgeEmbedVectorStore.from_texts(
        TEXTS,
        EdgeEmbedEmbeddings(encoder),
        [{"kind": "pet"}, {"kind": "pet"}, {"kind": "food"}],
        ids=["cat", "dog", "soup"],
        path=tmp_path / "index",
    )
    with made.index:
        yield made


def test_vectors_are_the_encoders(encoder):
    embeddings = EdgeEmbedEmbeddings(encoder)
    documents, query = encoder.encode_document(TEXTS), encoder.encode_query("a cat")
    np.testing.assert_array_equal(
        np.array(embeddings.embed_documents(TEXTS), np.float32), documents
    )
    np.testing.assert_array_equal(np.array(embeddings.embed_query("a cat"), np.float32), query)
    awaited = asyncio.run(embeddings.aembed_documents(TEXTS))
    np.testing.assert_array_equal(np.array(awaited, np.float32), documents)
    awaited = asyncio.run(embeddings.aembed_query("a cat"))
    np.testing.assert_array_equal(np.array(awaited, np.float32), query)
    with pytest.raises(InputError, match=r"inputs\[1\]: expected a text"):
        embeddings.embed_documents(["a", None])  # pyright: ignore[reportArgumentType]


def test_a_text_is_searched_by_words_and_by_meaning_as_the_index_does(store):
    hits = store.index.search("tomato soup", 2)
    found = store.similarity_search_with_score("tomato soup", k=2)
    assert [(doc.id, score) for doc, score in found] == [(hit.key, hit.score) for hit in hits]
    assert found[0][0] == Document(id="soup", page_content=TEXTS[2], metadata={"kind": "food"})
    keyword = store.similarity_search("tomato", k=3, mode="keyword")
    assert [doc.id for doc in keyword] == ["soup"]
    dense = store.similarity_search("tomato", k=3, mode="dense")
    assert [doc.id for doc in dense] == [
        h.key for h in store.index.search("tomato", 3, mode="dense")
    ]


def test_filters_reach_every_search(store, encoder):
    pets = {"filter": {"kind": "pet"}}
    vector = encoder.encode_query("soup").tolist()
    for found in (
        store.similarity_search("soup", **pets),
        store.max_marginal_relevance_search("soup", **pets),
        store.similarity_search_by_vector(vector, **pets),
        [doc for doc, _ in store.similarity_search_with_score("soup", **pets)],
        [doc for doc, _ in store.similarity_search_with_relevance_scores("soup", **pets)],
        store.as_retriever(search_kwargs=pets).invoke("soup"),
        asyncio.run(store.asimilarity_search("soup", **pets)),
    ):
        assert {doc.id for doc in found} == {"cat", "dog"}


def test_relevance_is_between_0_and_1_with_the_encoder_in_the_package(tmp_path):
    with Encoder.load("static") as static:
        path = tmp_path / "index"
        store = EdgeEmbedVectorStore.from_texts(TEXTS, EdgeEmbedEmbeddings(static), path=path)
        with store.index, warnings.catch_warnings(action="error"):
            scored = store.similarity_search_with_relevance_scores("tomato soup")
            assert scored[0][0].page_content == TEXTS[2]
            assert scored[0][1] == store.index.search("tomato soup")[0].probability
            retriever = store.as_retriever(
                search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.4}
            )
            assert [doc.page_content for doc in retriever.invoke("tomato soup")] == [TEXTS[2]]


def test_diversity_puts_off_a_document_that_says_the_same(store):
    store.add_texts(["the cat sat on the mat", "a dog in rain"], ids=["cat again", "dog again"])
    found = store.max_marginal_relevance_search("the cat sat on the mat", k=2, lambda_mult=0.1)
    assert found[0].page_content == TEXTS[0]
    assert found[1].page_content != TEXTS[0]


def test_documents_are_deleted_by_id_by_filter_or_all(store):
    assert store.delete(filter={"kind": "food"})
    assert sorted(store.index.keys()) == ["cat", "dog"]
    store.delete(["dog", "never was"])
    assert list(store.index.keys()) == ["cat"]
    store.delete()
    assert len(store.index) == 0


def test_the_index_is_one_that_everything_else_reads(store, encoder, tmp_path):
    store.index.close()
    with Index.open(tmp_path / "index", encoder=encoder) as index:
        assert index.search("tomato soup", 1)[0].key == "soup"


def test_what_cannot_be_used_is_refused_by_name(store, encoder, tmp_path):
    with pytest.raises(InputError, match=r"where: no option of this store; it has filter"):
        store.similarity_search("soup", where={"kind": "pet"})
    with pytest.raises(InputError, match=r"path: expected the directory of an index"):
        EdgeEmbedVectorStore.from_texts(TEXTS, EdgeEmbedEmbeddings(encoder))
    with pytest.raises(InputError, match=r"expected EdgeEmbedEmbeddings\(encoder\), got Determ"):
        EdgeEmbedVectorStore.from_texts(TEXTS, DeterministicFakeEmbedding(size=8), path=tmp_path)
