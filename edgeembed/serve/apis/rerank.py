"""Reranking, as Cohere's and Voyage's clients ask for it: one answer serves both."""

import uuid
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from edgeembed.serve.apis.cohere import ApiMeta, ApiVersion, BilledUnits
from edgeembed.serve.apis.fields import Count, blaming, truncation
from edgeembed.serve.base.errors import InvalidRequestError
from edgeembed.serve.base.jobs import Caller, Engine, Reranked, RerankJob
from edgeembed.serve.http.endpoint import Endpoint, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response


class Document(msgspec.Struct, kw_only=True):
    """A document."""

    text: str


Documents = Annotated[list[str | Document], Meta(min_length=1)]


class RerankRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /v1/rerank` and `POST /v2/rerank`; what is null counts as left out.

    Cohere's clients send `top_n`; Voyage's, on /v1, send `top_k` and `truncation`.
    """

    query: str
    documents: Documents
    model: str | None = None
    top_n: Count | None = None
    top_k: Count | None = None
    return_documents: bool | None = None
    truncation: bool | None = None


class Ranked(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A document's place in the request, and the model's score: a cosine, unless it reranks."""

    index: int
    relevance_score: float
    document: Document | str | None = None


class RerankUsage(msgspec.Struct, kw_only=True):
    """How many tokens were read."""

    total_tokens: int


class RerankResponse(msgspec.Struct, kw_only=True):
    """The answer, best first: in `results` for Cohere's clients, and in `data` for Voyage's."""

    id: str
    results: list[Ranked]
    meta: ApiMeta
    object: str = "list"
    data: list[Ranked]
    model: str
    usage: RerankUsage


_REQUEST = msgspec.json.Decoder(RerankRequest)


async def rerank_v1(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /v1/rerank`."""
    return await _rerank("1", request, engine, caller)


async def rerank_v2(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /v2/rerank`."""
    return await _rerank("2", request, engine, caller)


def best_first(found: Reranked) -> list[tuple[int, float]]:
    """The places of documents and their scores; equal ones in the order of the request."""
    order = np.argsort(-found.scores, kind="stable")
    return list(zip(order.tolist(), found.scores[order].tolist(), strict=True))


async def _rerank(version: str, request: Request, engine: Engine, caller: Caller) -> Response:
    body = decoded(request, _REQUEST)
    if body.top_n is not None and body.top_k is not None and body.top_n != body.top_k:
        raise InvalidRequestError(
            f"top_n: expected the same as top_k, {body.top_k}, got {body.top_n}; send one",
            param="top_n",
        )
    documents = [each if isinstance(each, str) else each.text for each in body.documents]
    job = RerankJob(
        model=body.model,
        query=body.query,
        documents=documents,
        truncation=truncation(body.truncation),
    )
    with blaming("documents"):
        found = await engine.rerank(job, caller)
    best = best_first(found)[: body.top_n or body.top_k]
    shown = documents if body.return_documents else None
    units = BilledUnits(search_units=1)
    return json_response(
        RerankResponse(
            id=str(uuid.uuid4()),
            results=[
                Ranked(
                    index=place,
                    relevance_score=score,
                    document=None if shown is None else Document(text=shown[place]),
                )
                for place, score in best
            ],
            meta=ApiMeta(api_version=ApiVersion(version=version), billed_units=units),
            data=[
                Ranked(
                    index=place,
                    relevance_score=score,
                    document=None if shown is None else shown[place],
                )
                for place, score in best
            ],
            model=found.model,
            usage=RerankUsage(total_tokens=found.tokens),
        )
    )


_EXAMPLE = {"query": "a pet", "documents": ["a cat", "a car"], "top_n": 1}
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/rerank",
        answer=rerank_v1,
        summary="Documents by closeness to a query, as Cohere and Voyage give them.",
        tag="Cohere",
        takes=RerankRequest,
        gives=RerankResponse,
        examples=(_EXAMPLE,),
    ),
    Endpoint(
        method="POST",
        path="/v2/rerank",
        answer=rerank_v2,
        summary="Documents by closeness to a query.",
        tag="Cohere",
        takes=RerankRequest,
        gives=RerankResponse,
        examples=(_EXAMPLE,),
    ),
)
