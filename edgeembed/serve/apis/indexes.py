"""The wire format of mounted indexes: search, upsert, delete. It is edgeembed's own, so strict."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgeembed.serve.apis.fields import Count
from edgeembed.serve.base.errors import InvalidRequestError
from edgeembed.serve.base.jobs import Caller, DeleteJob, Engine, SearchJob, UpsertJob
from edgeembed.serve.http.endpoint import Endpoint, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response

_LARGEST = 3.4e38  # what float32 holds
Component = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
Keys = Annotated[list[str], Meta(min_length=1)]


class SearchRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /search`: a text, a vector of one's own, or both; see `Index.search`."""

    query: str | None = None
    vector: Annotated[list[Component], Meta(min_length=1)] | None = None
    index: str | None = None
    k: Count = 10
    mode: Literal["dense", "keyword", "hybrid"] | None = None
    where: dict[str, Any] | None = None
    exact: bool = False


class SearchHit(msgspec.Struct, kw_only=True):
    """A hit; higher scores are closer."""

    key: str
    score: float
    document: str | None
    metadata: dict[str, Any] | None


class SearchResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /search`, best first."""

    hits: list[SearchHit]


class UpsertRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /upsert`: lists of one length, stored in one commit."""

    keys: Keys
    documents: Annotated[list[str], Meta(min_length=1)]
    metadatas: list[dict[str, Any] | None] | None = None
    index: str | None = None


class UpsertResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /upsert`."""

    upserted: int


class DeleteRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /delete`: keys, or a filter of metadata."""

    keys: Keys | None = None
    where: Annotated[dict[str, Any], Meta(min_length=1)] | None = None
    index: str | None = None


class DeleteResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /delete`: how many there were."""

    deleted: int


class MountedIndex(msgspec.Struct, kw_only=True):
    """A mounted index."""

    name: str
    passages: int
    dim: int
    model: str | None
    writable: bool


class MountedIndexes(msgspec.Struct, kw_only=True):
    """The answer of `GET /indexes`, the default first."""

    indexes: list[MountedIndex]


_SEARCH = msgspec.json.Decoder(SearchRequest)
_UPSERT = msgspec.json.Decoder(UpsertRequest)
_DELETE = msgspec.json.Decoder(DeleteRequest)


async def search(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /search`."""
    body = decoded(request, _SEARCH)
    if body.query is None and body.vector is None:
        raise InvalidRequestError("query: expected a text, or a vector, got neither", param="query")
    job = SearchJob(
        index=body.index,
        query=body.query,
        vector=body.vector,
        k=body.k,
        mode=body.mode,
        where=body.where,
        exact=body.exact,
    )
    hits = [
        SearchHit(
            key=found.key,
            score=found.score,
            document=found.document,
            metadata=None if found.metadata is None else dict(found.metadata),
        )
        for found in await engine.search(job, caller)
    ]
    return json_response(SearchResponse(hits=hits))


async def upsert(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /upsert`."""
    body = decoded(request, _UPSERT)
    lists = {"documents": body.documents, "metadatas": body.metadatas}
    for name, values in lists.items():
        if values is not None and len(values) != len(body.keys):
            raise InvalidRequestError(
                f"{name}: expected one for each of {len(body.keys)} keys, got {len(values)}",
                param=name,
            )
    job = UpsertJob(
        index=body.index, keys=body.keys, documents=body.documents, metadatas=body.metadatas
    )
    return json_response(UpsertResponse(upserted=await engine.upsert(job, caller)))


async def delete(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /delete`."""
    body = decoded(request, _DELETE)
    if (body.keys is None) == (body.where is None):
        given = "neither" if body.keys is None else "both"
        raise InvalidRequestError(f"keys: expected keys or where, got {given}", param="keys")
    job = DeleteJob(index=body.index, keys=body.keys, where=body.where)
    return json_response(DeleteResponse(deleted=await engine.delete(job, caller)))


async def indexes(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `GET /indexes`."""
    del request, caller
    mounted = [
        MountedIndex(
            name=each.name,
            passages=each.passages,
            dim=each.dim,
            model=each.model,
            writable=each.writable,
        )
        for each in engine.indexes()
    ]
    return json_response(MountedIndexes(indexes=mounted))


_TAG = "edgeembed"
ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/indexes",
        answer=indexes,
        summary="The mounted indexes.",
        tag=_TAG,
        gives=MountedIndexes,
    ),
    Endpoint(
        method="POST",
        path="/search",
        answer=search,
        summary="Search a mounted index.",
        tag=_TAG,
        takes=SearchRequest,
        gives=SearchResponse,
        examples=({"query": "a pet", "k": 3},),
    ),
    Endpoint(
        method="POST",
        path="/upsert",
        answer=upsert,
        summary="Store documents in a mounted index.",
        tag=_TAG,
        takes=UpsertRequest,
        gives=UpsertResponse,
        examples=({"keys": ["a"], "documents": ["a cat"], "metadatas": [{"kind": "pet"}]},),
    ),
    Endpoint(
        method="POST",
        path="/delete",
        answer=delete,
        summary="Delete documents from a mounted index.",
        tag=_TAG,
        takes=DeleteRequest,
        gives=DeleteResponse,
        examples=({"keys": ["a"]},),
    ),
)
