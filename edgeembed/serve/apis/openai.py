"""OpenAI's wire format: embeddings."""

import base64
from typing import Literal

import msgspec

from edgeembed.serve.base.errors import InvalidRequestError
from edgeembed.serve.base.jobs import Caller, EmbedJob, Engine
from edgeembed.serve.http.endpoint import Endpoint, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response


class EmbeddingsRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /v1/embeddings`."""

    input: str | list[str]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


class Embedding(msgspec.Struct, kw_only=True):
    """One vector: base64 of little-endian float32, or numbers."""

    object: str = "embedding"
    index: int
    embedding: str | list[float]


class Usage(msgspec.Struct, kw_only=True):
    """What was read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /v1/embeddings`."""

    object: str = "list"
    data: list[Embedding]
    model: str
    usage: Usage


_REQUEST = msgspec.json.Decoder(EmbeddingsRequest)


async def embeddings(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /v1/embeddings`."""
    body = decoded(request, _REQUEST)
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts:
        raise InvalidRequestError("input: expected a text, or some, got none", param="input")
    job = EmbedJob(model=body.model, texts=texts, dimensions=body.dimensions)
    found = await engine.embed(job, caller)
    rows = found.vectors.astype("<f4", copy=False)
    if body.encoding_format == "base64":
        vectors = [base64.b64encode(row.tobytes()).decode("ascii") for row in rows]
    else:
        vectors = rows.tolist()
    data = [Embedding(index=n, embedding=vector) for n, vector in enumerate(vectors)]
    usage = Usage(prompt_tokens=found.tokens, total_tokens=found.tokens)
    return json_response(EmbeddingsResponse(data=data, model=found.model, usage=usage))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/embeddings",
        answer=embeddings,
        summary="Vectors of texts.",
        tag="OpenAI",
        takes=EmbeddingsRequest,
        gives=EmbeddingsResponse,
        examples=({"input": "hello", "model": "default"},),
    ),
)
