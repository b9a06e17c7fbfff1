"""LlamaIndex: its own indexes and retrievers, over an Encoder and an Index."""

import asyncio

import numpy as np
import pytest

from edgeembed import Index, InputError

pytest.importorskip("llama_index.core", reason="LlamaIndex runs in an environment of its own")
pytestmark = pytest.mark.filterwarnings("ignore")

from llama_index.core import StorageContext, VectorStoreIndex  # noqa: E402
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode  # noqa: E402
from llama_index.core.vector_stores.types import (  # noqa: E402
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from edgeembed.integrations.llama_index import (  # noqa: E402
    EdgeEmbedEmbedding,
    EdgeEmbedVectorStore,
)

ROWS = {
    "cat": ("the cat sat on the mat", {"kind": "pet", "legs": 4, "tags": ["home", "fur"]}),
    "dog": ("the dog ran in the rain", {"kind": "pet", "legs": 4, "tags": ["fur"]}),
    "soup": ("cook soup of tomato", {"kind": "food", "legs": 0}),
    "hen": ("a hen ran", {"kind": "bird", "legs": 2, "tags": []}),
}


def nodes():
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="page 1")}
    return [
        TextNode(id_=key, text=text, metadata=data, relationships=source if key != "hen" else {})
        for key, (text, data) in ROWS.items()
    ]


@pytest.fixture
def store(encoder, tmp_path):
    with Index.create(tmp_path / "index", encoder=encoder) as index:
        made = EdgeEmbedVectorStore(index)
        made.add(nodes())
        yield made


def found(store, **query):
    return store.query(VectorStoreQuery(similarity_top_k=9, **query))


def test_vectors_are_the_encoders(encoder):
    model = EdgeEmbedEmbedding(encoder)
    texts = [text for text, _ in ROWS.values()]
    documents, query = encoder.encode_document(texts), encoder.encode_query("a cat")

    def same(vectors, expected):
        np.testing.assert_array_equal(np.array(vectors, np.float32), expected)

    same(model.get_text_embedding_batch(texts), documents)
    same(model.get_text_embedding(texts[0]), documents[0])
    same(model.get_query_embedding("a cat"), query)
    same(asyncio.run(model.aget_text_embedding_batch(texts)), documents)
    same(asyncio.run(model.aget_query_embedding("a cat")), query)
    assert model.model_name == encoder.manifest.name


def test_its_vector_index_finds_nodes_as_they_were(encoder, tmp_path):
    model = EdgeEmbedEmbedding(encoder)
    with Index.create(tmp_path / "own", encoder=encoder) as index:
        storage = StorageContext.from_defaults(vector_store=EdgeEmbedVectorStore(index))
        made = VectorStoreIndex(nodes(), storage_context=storage, embed_model=model)
        hybrid = made.as_retriever(vector_store_query_mode="hybrid", similarity_top_k=2)
        (best, *_) = hybrid.retrieve("tomato soup")
        assert best.node.node_id == "soup"
        assert best.node.text == ROWS["soup"][0]
        assert best.node.metadata == ROWS["soup"][1]
        made.delete_ref_doc("page 1")
        assert list(index.keys()) == ["hen"]


def test_each_mode_is_that_of_the_index(store, encoder):
    text = "tomato soup"
    vector = encoder.encode_query(text)
    pair = {"query_str": text, "query_embedding": vector.tolist()}
    index = store.client
    for mode, expected in {
        "default": index.search(vector, 9),
        "hybrid": index.search(text, 9, vector=vector, mode="hybrid", weight=0.3),
        "text_search": index.search(text, 9, mode="keyword"),
    }.items():
        result = found(store, mode=VectorStoreQueryMode(mode), alpha=0.3, **pair)
        assert result.ids == [hit.key for hit in expected]
        assert result.similarities == pytest.approx([hit.score for hit in expected])
        assert [node.node_id for node in result.nodes] == result.ids


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("kind", FilterOperator.EQ, "pet", {"cat", "dog"}),
        ("kind", FilterOperator.NE, "pet", {"soup", "hen"}),
        ("legs", FilterOperator.GT, 2, {"cat", "dog"}),
        ("legs", FilterOperator.LTE, 2, {"soup", "hen"}),
        ("kind", FilterOperator.IN, ["pet", "food"], {"cat", "dog", "soup"}),
        ("kind", FilterOperator.NIN, ["pet", "food"], {"hen"}),
        ("tags", FilterOperator.CONTAINS, "home", {"cat"}),
        ("tags", FilterOperator.ANY, ["home", "fur"], {"cat", "dog"}),
        ("tags", FilterOperator.ALL, ["home", "fur"], {"cat"}),
    ],
)
def test_filters(store, encoder, key, operator, value, expected):
    filters = MetadataFilters(filters=[MetadataFilter(key=key, operator=operator, value=value)])
    vector = encoder.encode_query("a").tolist()
    assert set(found(store, query_embedding=vector, filters=filters).ids) == expected
    assert {node.node_id for node in store.get_nodes(filters=filters)} == expected
    store.delete_nodes(filters=filters)
    assert set(store.client.keys()) == set(ROWS) - expected


def test_filters_are_combined_and_joined_with_ids(store, encoder):
    pet = MetadataFilter(key="kind", value="pet")
    two = MetadataFilter(key="legs", value=2)
    vector = encoder.encode_query("a").tolist()
    for condition, expected in {
        FilterCondition.AND: set(),
        FilterCondition.OR: {"cat", "dog", "hen"},
        FilterCondition.NOT: {"soup"},
    }.items():
        filters = MetadataFilters(filters=[pet, two], condition=condition)
        assert set(found(store, query_embedding=vector, filters=filters).ids) == expected
    nested = MetadataFilters(filters=[MetadataFilters(filters=[pet]), pet])
    some = {"query_embedding": vector, "filters": nested}
    assert found(store, node_ids=["dog", "hen"], **some).ids == ["dog"]
    assert set(found(store, query_embedding=vector, doc_ids=["page 1"]).ids) == set(ROWS) - {"hen"}
    assert [node.node_id for node in store.get_nodes(node_ids=["hen"])] == ["hen"]
    store.delete_nodes(["cat"])
    assert "cat" not in store.client
    store.clear()
    assert len(store.client) == 0


def test_what_an_index_does_not_have_is_refused_by_name(store):
    with pytest.raises(InputError, match=r"mode: expected default, hybrid, .*text_search, got .*"):
        found(store, query_str="a", mode=VectorStoreQueryMode.SVM)
    with pytest.raises(InputError, match=r"query_str: this query mode needs it"):
        found(store, mode=VectorStoreQueryMode.HYBRID)
    matching = MetadataFilter(key="kind", operator=FilterOperator.TEXT_MATCH, value="p")
    with pytest.raises(
        InputError, match=r"filter on kind: an index has no operator text_match; it"
    ):
        store.get_nodes(filters=MetadataFilters(filters=[matching]))
