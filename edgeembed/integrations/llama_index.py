"""An Encoder and an Index for LlamaIndex: an embedding model, and a store with hybrid search."""
# pyright: reportUntypedBaseClass=false
# LlamaIndex need not be installed where the types are checked.

from collections.abc import Sequence
from typing import Any

from edgeembed import Encoder, Hit, Index, InputError, MissingExtraError, StoredDocument
from edgeembed_runtime.arguments import shown

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.schema import BaseNode, MetadataMode
    from llama_index.core.vector_stores.types import (
        BasePydanticVectorStore,
        FilterCondition,
        FilterOperator,
        MetadataFilter,
        MetadataFilters,
        VectorStoreQuery,
        VectorStoreQueryMode,
        VectorStoreQueryResult,
    )
    from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
except ModuleNotFoundError as _missing:
    raise MissingExtraError.for_extra("LlamaIndex", "llama-index") from _missing

_BATCH_SIZE = 512  # one call of the encoder; it pads nothing, so more only smooths its threads
_ID = "_node_id"  # in the metadata, since filters see no keys
_MODES = {
    VectorStoreQueryMode.DEFAULT: "dense",
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "hybrid",
    VectorStoreQueryMode.SPARSE: "keyword",
    VectorStoreQueryMode.TEXT_SEARCH: "keyword",
}
_OPERATORS = {
    FilterOperator.EQ: "$eq",
    FilterOperator.NE: "$ne",
    FilterOperator.GT: "$gt",
    FilterOperator.GTE: "$gte",
    FilterOperator.LT: "$lt",
    FilterOperator.LTE: "$lte",
    FilterOperator.IN: "$in",
    FilterOperator.NIN: "$nin",
    FilterOperator.ANY: "$in",  # of a list, one element must pass
    FilterOperator.CONTAINS: "$contains",
}


class EdgeEmbedEmbedding(BaseEmbedding):
    """The vectors of an Encoder, with the model's own prompts for queries and documents."""

    _encoder: Encoder = PrivateAttr()

    def __init__(self, encoder: Encoder, *, embed_batch_size: int = _BATCH_SIZE) -> None:
        """Wrap an encoder."""
        super().__init__(model_name=encoder.manifest.name, embed_batch_size=embed_batch_size)
        self._encoder = encoder

    @classmethod
    def class_name(cls) -> str:
        """The name that LlamaIndex writes down."""
        return "EdgeEmbedEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._encoder.encode_query(query).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._encoder.encode_document(text).tolist()

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._encoder.encode_document(texts).tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return (await self._encoder.aencode_query(query)).tolist()

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._encoder.aencode_document(text)).tolist()

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return (await self._encoder.aencode_document(texts)).tolist()


class EdgeEmbedVectorStore(BasePydanticVectorStore):
    """Nodes of LlamaIndex in an Index; ids of nodes are its keys.

    The query modes are `default` (by the vector), `hybrid`, `semantic_hybrid`, `sparse` and
    `text_search` (by the words); `alpha` is the weight of the vector in `hybrid`.
    """

    stores_text: bool = True
    _index: Index = PrivateAttr()

    def __init__(self, index: Index) -> None:
        """Wrap an open index, for writing if nodes are added."""
        super().__init__(stores_text=True)
        self._index = index

    @classmethod
    def class_name(cls) -> str:
        """The name that LlamaIndex writes down."""
        return "EdgeEmbedVectorStore"

    @property
    def client(self) -> Index:
        """The index."""
        return self._index

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:  # noqa: ARG002
        """Insert or replace nodes in one durable commit; returns their ids.

        Nodes without a vector are encoded by the index's encoder.

        Raises:
            InputError: a node cannot be used; nothing was written.
            IndexReadOnlyError: the index was opened for reading.
        """
        keys = [node.node_id for node in nodes]
        metadatas = [
            {**node_to_metadata_dict(node, remove_text=True), _ID: node.node_id} for node in nodes
        ]
        self._index.upsert(
            keys,
            documents=[node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes],
            vectors=[node.embedding for node in nodes],
            metadatas=metadatas,
        )
        return keys

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:  # noqa: ARG002
        """Delete the nodes of a document."""
        self._index.delete(where={"ref_doc_id": ref_doc_id})

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Delete nodes by id, by a filter, or those that pass both."""
        self._index.delete(node_ids, where=_where(filters))

    def clear(self) -> None:
        """Delete all nodes."""
        self._index.delete(list(self._index.keys()))

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Read nodes by id, by a filter, or those that pass both; all with neither."""
        where = _all_of([_where(filters), None if node_ids is None else _one_of(_ID, node_ids)])
        found = self._index.get(list(self._index.keys(where=where)))
        return [_node(document) for document in found if document is not None]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:  # noqa: ARG002
        """Find the best nodes, best first.

        Raises:
            InputError: a mode or a filter that an index does not have, or nothing to search for.
        """
        mode = _MODES.get(query.mode)
        if mode is None:
            raise InputError(
                f"mode: expected {', '.join(known.value for known in _MODES)}, got "
                f"{shown(query.mode)}"
            )
        k = {"keyword": query.sparse_top_k, "hybrid": query.hybrid_top_k}.get(mode)
        where = _all_of(
            [
                _where(query.filters),
                # LlamaIndex's own indexes pass [] for all.
                _one_of("ref_doc_id", query.doc_ids) if query.doc_ids else None,
                _one_of(_ID, query.node_ids) if query.node_ids else None,
            ]
        )
        options: dict[str, Any] = {"k": k or query.similarity_top_k, "where": where, "mode": mode}
        if mode == "dense":
            text = query.query_str if query.query_embedding is None else query.query_embedding
            hits = self._index.search(_given(text, "query_embedding"), **options)
        elif mode == "hybrid":
            hits = self._index.search(
                _given(query.query_str, "query_str"),
                vector=query.query_embedding,
                weight=query.alpha,
                **options,
            )
        else:
            hits = self._index.search(_given(query.query_str, "query_str"), **options)
        return VectorStoreQueryResult(
            nodes=[_node(hit) for hit in hits],
            similarities=[hit.score for hit in hits],
            ids=[hit.key for hit in hits],
        )


def _given(value: Any, name: str) -> Any:
    if value is None:
        raise InputError(f"{name}: this query mode needs it, got None")
    return value


def _node(found: Hit | StoredDocument) -> BaseNode:
    return metadata_dict_to_node(dict(found.metadata or {}), text=found.document)


def _one_of(field: str, values: Sequence[Any]) -> dict[str, Any]:
    return {field: {"$in": list(values)}}


def _all_of(conditions: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    given = [condition for condition in conditions if condition is not None]
    return {"$and": given} if given else None


def _where(filters: MetadataFilters | None) -> dict[str, Any] | None:
    """A filter of LlamaIndex as one of an index."""
    if filters is None or not filters.filters:
        return None
    tests = [
        _where(each) if isinstance(each, MetadataFilters) else _test(each)
        for each in filters.filters
    ]
    given = [test for test in tests if test is not None]
    if filters.condition == FilterCondition.NOT:
        return {"$not": {"$or": given}}
    return {"$or" if filters.condition == FilterCondition.OR else "$and": given}


def _test(one: MetadataFilter) -> dict[str, Any]:
    if one.operator == FilterOperator.ALL:
        return {"$and": [{one.key: {"$contains": value}} for value in one.value or ()]}
    operator = _OPERATORS.get(one.operator)
    if operator is None:
        raise InputError(
            f"filter on {one.key}: an index has no operator {one.operator.value}; it has "
            f"{', '.join(known.value for known in (*_OPERATORS, FilterOperator.ALL))}"
        )
    return {one.key: {operator: one.value}}
