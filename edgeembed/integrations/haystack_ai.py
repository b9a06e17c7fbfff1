"""An Encoder and an Index for Haystack: embedders, a store of documents, a retriever.

Haystack loads a written pipeline only from packages that it knows: pass it
`allowed_modules=["edgeembed"]`.
"""
# pyright: reportUntypedClassDecorator=false, reportUntypedFunctionDecorator=false
# Haystack need not be installed where the types are checked.

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from edgeembed import Encoder, Index, InputError, MissingExtraError, SearchMode, StoredDocument
from edgeembed.integrations.haystack_filters import where_of
from edgeembed_runtime.arguments import shown

try:
    from haystack import component, default_from_dict, default_to_dict
    from haystack.dataclasses import Document
    from haystack.document_stores.errors import DuplicateDocumentError
    from haystack.document_stores.types import DuplicatePolicy
except ModuleNotFoundError as _missing:
    raise MissingExtraError.for_extra("Haystack", "haystack-ai") from _missing


class _HasEncoder:
    bundle: str | None
    variant: str

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder.load(self.bundle, variant=self.variant)

    def warm_up(self) -> None:
        """Load the bundle; see `Encoder.load`. Otherwise the first text does."""
        _ = self._encoder


@component
class EdgeEmbedTextEmbedder(_HasEncoder):
    """Encodes a query, with the model's own prompt for queries."""

    def __init__(self, bundle: str | None = None, variant: str = "auto") -> None:
        """Set the bundle: a directory, or the name of one in the package."""
        self.bundle = bundle
        self.variant = variant

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, Any]:
        """Encode a query.

        Raises:
            InputError: it is no text.
        """
        return {"embedding": self._encoder.encode_query(text).tolist()}

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, Any]:
        """Encode a query on another thread."""
        return {"embedding": (await self._encoder.aencode_query(text)).tolist()}


@component
class EdgeEmbedDocumentEmbedder(_HasEncoder):
    """Encodes documents, with the model's own prompt for documents."""

    def __init__(
        self,
        bundle: str | None = None,
        variant: str = "auto",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
    ) -> None:
        """Set the bundle, and the metadata that stands before the content with a separator."""
        self.bundle = bundle
        self.variant = variant
        self.meta_fields_to_embed = meta_fields_to_embed
        self.embedding_separator = embedding_separator

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Return copies of documents with their vectors."""
        return _embedded(documents, self._encoder.encode_document(self._texts(documents)))

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """Encode documents on another thread; a cancelled task stops it."""
        return _embedded(documents, await self._encoder.aencode_document(self._texts(documents)))

    def _texts(self, documents: list[Document]) -> list[str]:
        fields = self.meta_fields_to_embed or []
        return [
            self.embedding_separator.join(
                [str(each.meta[name]) for name in fields if each.meta.get(name) is not None]
                + [each.content or ""]
            )
            for each in documents
        ]


class EdgeEmbedDocumentStore(_HasEncoder):
    """Documents of Haystack in an Index, whose keys are their ids.

    A document without an embedding is encoded, so that it is found; it comes back without one.
    """

    def __init__(self, path: str, bundle: str | None = None, variant: str = "auto") -> None:
        """Set the index's directory, which is made when it is first used, and its bundle."""
        self.path = path
        self.bundle = bundle
        self.variant = variant

    @cached_property
    def index(self) -> Index:
        """The index, open for writing; close it when nothing more is written."""
        return Index.open(self.path, encoder=self._encoder, mode="a")

    def to_dict(self) -> dict[str, Any]:
        """What a pipeline writes down."""
        return default_to_dict(self, path=self.path, bundle=self.bundle, variant=self.variant)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "EdgeEmbedDocumentStore":
        """Make a store from what was written down."""
        return default_from_dict(cls, data)

    def count_documents(self) -> int:
        """How many documents there are."""
        return len(self.index)

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """How many documents match."""
        return self.index.count(where=where_of(filters))

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Read the documents that match, in the order of writing.

        Raises:
            FilterError: a filter that Haystack does not have.
        """
        return self._read(list(self.index.keys(where=where_of(filters))))

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents in one durable commit; returns how many. Without a policy, FAIL.

        Raises:
            InputError: a ValueError: not a list of documents, or an embedding that does not fit.
            DuplicateDocumentError: a document is there, and the policy is FAIL.
        """
        _check_documents(documents)
        if policy != DuplicatePolicy.OVERWRITE:
            documents = self._fresh(documents, skip=policy == DuplicatePolicy.SKIP)
        self.index.upsert(
            [each.id for each in documents],
            documents=[each.content or "" for each in documents],
            vectors=[each.embedding for each in documents],
            metadatas=[_metadata(each) for each in documents],
        )
        return len(documents)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete documents; ids that are not there are none."""
        self.index.delete(document_ids)

    def delete_all_documents(self) -> None:
        """Delete all documents."""
        self.index.delete(list(self.index.keys()))

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Delete the documents that match; returns how many."""
        return self.index.delete(where=where_of(filters))

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Set entries of the metadata of documents that match; returns how many."""
        found = self.filter_documents(filters)
        changed = [replace(each, meta={**each.meta, **meta}) for each in found]
        return self.write_documents(changed, DuplicatePolicy.OVERWRITE) if changed else 0

    def search(
        self,
        query: str | Sequence[float],
        top_k: int = 10,
        *,
        vector: Sequence[float] | None = None,
        filters: dict[str, Any] | None = None,
        mode: SearchMode | None = None,
    ) -> list[Document]:
        """Find the best documents, best first, with their scores; see `Index.search`."""
        hits = self.index.search(query, top_k, vector=vector, where=where_of(filters), mode=mode)
        found = self._read([hit.key for hit in hits])
        return [replace(each, score=hit.score) for each, hit in zip(found, hits, strict=True)]

    def _fresh(self, documents: list[Document], *, skip: bool) -> list[Document]:
        there = {each.key for each in self.index.get([d.id for d in documents]) if each is not None}
        fresh: dict[str, Document] = {}
        for each in documents:
            if each.id not in there and each.id not in fresh:
                fresh[each.id] = each
            elif not skip:
                raise DuplicateDocumentError(
                    f"ID '{each.id}' is there already; write with another DuplicatePolicy"
                )
        return list(fresh.values())

    def _read(self, keys: list[str]) -> list[Document]:
        found = [each for each in self.index.get(keys) if each is not None]
        vectors = self.index.vectors([each.key for each in found])
        return [_document(each, vector) for each, vector in zip(found, vectors, strict=True)]


@component
class EdgeEmbedRetriever:
    """Searches a store by words and by meaning, or by one of them."""

    def __init__(
        self,
        document_store: EdgeEmbedDocumentStore,
        top_k: int = 10,
        filters: dict[str, Any] | None = None,
        mode: SearchMode | None = None,
    ) -> None:
        """Set the store, how many documents to find, and a filter for all searches."""
        self.document_store = document_store
        self.top_k = top_k
        self.filters = filters
        self.mode: SearchMode | None = mode

    def to_dict(self) -> dict[str, Any]:
        """What a pipeline writes down."""
        store = self.document_store.to_dict()
        options = {"top_k": self.top_k, "filters": self.filters, "mode": self.mode}
        return default_to_dict(self, document_store=store, **options)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "EdgeEmbedRetriever":
        """Make a retriever from what was written down."""
        options = dict(data["init_parameters"])
        store = options.pop("document_store")
        if isinstance(store, dict):
            store = EdgeEmbedDocumentStore.from_dict(store)
        return cls(store, **options)

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str,
        query_embedding: list[float] | None = None,
        top_k: int | None = None,
        filters: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Find documents for a text; `query_embedding` takes the place of its own vector."""
        found = self.document_store.search(
            query,
            self.top_k if top_k is None else top_k,
            vector=query_embedding,
            filters=self.filters if filters is None else filters,
            mode=self.mode,
        )
        return {"documents": found}


def _check_documents(documents: Any) -> None:
    if not isinstance(documents, list):
        raise InputError(f"documents: expected a list, got {shown(documents)}")
    for at, each in enumerate(documents):
        if not isinstance(each, Document):
            raise InputError(f"documents[{at}]: expected a Document, got {shown(each)}")


def _embedded(documents: list[Document], vectors: Any) -> dict[str, Any]:
    pairs = zip(documents, vectors, strict=True)
    return {"documents": [replace(each, embedding=vector.tolist()) for each, vector in pairs]}


def _metadata(document: Document) -> dict[str, Any]:
    """What an index keeps beside text and direction; the filters see `id` and `meta`."""
    whole = document.to_dict(flatten=False)
    more = {name: whole[name] for name in ("blob", "sparse_embedding") if whole.get(name)}
    length = None if document.embedding is None else float(np.linalg.norm(document.embedding))
    empty = {"no_content": True} if document.content is None else {}
    return {"id": document.id, "meta": document.meta, "length": length, **more, **empty}


def _document(stored: StoredDocument, vector: Any) -> Document:
    kept = dict(stored.metadata or {})
    length = kept.pop("length", None)
    no_content = kept.pop("no_content", False)
    return Document.from_dict(
        {
            **kept,
            "id": stored.key,
            "content": None if no_content else stored.document,
            "embedding": None if length is None else (vector * length).tolist(),
        }
    )
