"""An Encoder and an Index for LangChain: `Embeddings`, and a `VectorStore` with hybrid search."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeembed import (
    Encoder,
    Hit,
    Index,
    InputError,
    MissingExtraError,
    SearchMode,
    StoredDocument,
)

try:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.runnables.config import run_in_executor
    from langchain_core.vectorstores import VectorStore
    from langchain_core.vectorstores.utils import maximal_marginal_relevance
except ModuleNotFoundError as _missing:
    raise MissingExtraError.for_extra("LangChain", "langchain") from _missing


class EdgeEmbedEmbeddings(Embeddings):
    """The vectors of an Encoder, with the model's own prompts for queries and documents."""

    def __init__(self, encoder: Encoder) -> None:
        """Wrap an encoder."""
        self.encoder: Encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Encode documents.

        Raises:
            InputError: a text is invalid; the message names its position.
        """
        return self.encoder.encode_document(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        """Encode a query; raises like `embed_documents`."""
        return self.encoder.encode_query(text).tolist()

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Encode documents on another thread; a cancelled task stops it."""
        return (await self.encoder.aencode_document(texts)).tolist()

    async def aembed_query(self, text: str) -> list[float]:
        """Encode a query on another thread."""
        return (await self.encoder.aencode_query(text)).tolist()


class EdgeEmbedVectorStore(VectorStore):
    """Documents of LangChain in an Index, which its encoder fills and searches.

    A text is searched by keywords and by meaning, unless `mode` says otherwise. `filter` is a
    filter on metadata, as in `Index.search(where=)`. Ids are the index's keys.
    """

    def __init__(self, index: Index, encoder: Encoder) -> None:
        """Wrap an index that was opened with its encoder, for writing if documents are added."""
        self.index: Index = index
        self.encoder: Encoder = encoder

    @classmethod
    def open(cls, path: str | Path, encoder: Encoder) -> "EdgeEmbedVectorStore":
        """Open an index for writing, or create one where nothing is; see `Index.open`."""
        return cls(Index.open(path, encoder=encoder, mode="a"), encoder)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[Any, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        path: str | Path | None = None,
        **kwargs: Any,
    ) -> "EdgeEmbedVectorStore":
        """Add texts to the index at `path`, which is created if nothing is there.

        Raises:
            InputError: no `path`, or an embedding that is not this module's.
        """
        _refuse(kwargs)
        if not isinstance(embedding, EdgeEmbedEmbeddings):
            raise InputError(
                "embedding: expected EdgeEmbedEmbeddings(encoder), got "
                f"{type(embedding).__name__}; an index is of its encoder's space"
            )
        if path is None:
            raise InputError("path: expected the directory of an index, got none; pass path=...")
        store = cls.open(path, embedding.encoder)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @property
    def embeddings(self) -> EdgeEmbedEmbeddings:
        """The encoder as `Embeddings`."""
        return EdgeEmbedEmbeddings(self.encoder)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[Any, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Insert or replace texts in one durable commit; returns their ids, new ones where None.

        Raises:
            InputError: an argument cannot be used; nothing was written.
            IndexReadOnlyError: the index was opened for reading.
        """
        _refuse(kwargs)
        documents = list(texts)
        given = [None] * len(documents) if ids is None else list(ids)
        keys = [str(uuid.uuid4()) if key is None else key for key in given]
        self.index.upsert(keys, documents=documents, metadatas=metadatas)
        return keys

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents by id, or all with None; ids that are not there are none."""
        filter_ = kwargs.pop("filter", None)
        _refuse(kwargs)
        if ids is None and filter_ is None:
            self.index.delete(list(self.index.keys()))
        else:
            self.index.delete(ids, where=filter_)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Read the documents that are there, in the order of the ids."""
        return [_document(found) for found in self.index.get(list(ids)) if found is not None]

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 (LangChain's name)
        mode: SearchMode | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Find the k best documents, best first; see `Index.search`.

        Raises:
            InputError: an argument cannot be used.
        """
        _refuse(kwargs)
        return [_document(hit) for hit in self.index.search(query, k, where=filter, mode=mode)]

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        mode: SearchMode | None = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """Like `similarity_search`, each with its score; a higher one is better (see `Hit`)."""
        _refuse(kwargs)
        hits = self.index.search(query, k, where=filter, mode=mode)
        return [(_document(hit), hit.score) for hit in hits]

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[Document]:
        """Find the k documents whose vectors are closest."""
        _refuse(kwargs)
        return [_document(hit) for hit in self.index.search(embedding, k, where=filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        mode: SearchMode | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Of the fetch_k best documents, k that are good and unlike each other."""
        _refuse(kwargs)
        hits = self.index.search(query, fetch_k, where=filter, mode=mode)
        vectors = self.index.vectors([hit.key for hit in hits])
        chosen = maximal_marginal_relevance(
            self.encoder.encode_query(query), list(vectors), lambda_mult, k
        )
        return [_document(hits[at]) for at in chosen]

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The probability that a document is relevant; without a calibration, its cosine from 0."""
        where, mode = kwargs.pop("filter", None), kwargs.pop("mode", None)
        _refuse(kwargs)
        hits = self.index.search(query, k, where=where, mode=mode)
        return [(_document(hit), _relevance(hit)) for hit in hits]

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        search = self._similarity_search_with_relevance_scores
        return await run_in_executor(None, search, query, k, **kwargs)


def _relevance(hit: Hit) -> float:
    if hit.probability is not None:
        return hit.probability
    return min(max(hit.cosine or 0.0, 0.0), 1.0)


def _document(found: Hit | StoredDocument) -> Document:
    return Document(
        id=found.key, page_content=found.document or "", metadata=dict(found.metadata or {})
    )


def _refuse(kwargs: Mapping[str, Any]) -> None:
    if kwargs:
        raise InputError(
            f"{', '.join(kwargs)}: no option of this store; it has filter and mode, and "
            "store.index has all of Index.search"
        )
