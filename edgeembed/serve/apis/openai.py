"""OpenAI's and Voyage's wire format: embeddings on one path, told apart by nothing but fields."""

from typing import Literal

import msgspec

from edgeembed.serve.apis.fields import Count, Texts, blaming, listed, truncation
from edgeembed.serve.apis.vectors import NumberType, in_base64, in_type, need_ranges
from edgeembed.serve.base.errors import InvalidRequestError, UnknownModelError
from edgeembed.serve.base.jobs import Caller, EmbedJob, Engine, ServedModel
from edgeembed.serve.http.endpoint import Endpoint, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response


class EmbeddingsRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /v1/embeddings`; what is null counts as left out.

    OpenAI's clients send `encoding_format`, `dimensions` and `user`; Voyage's send `input_type`,
    `truncation`, `output_dtype`, `output_dimension` and `encoding_format`.
    """

    input: Texts
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Count | None = None
    user: str | None = None
    input_type: Literal["query", "document"] | None = None
    truncation: bool | None = None
    output_dtype: NumberType | None = None
    output_dimension: Count | None = None


class Embedding(msgspec.Struct, kw_only=True):
    """One vector: numbers, or base64 of little-endian float32 or of bytes."""

    object: str = "embedding"
    index: int
    embedding: str | list[float]


class Usage(msgspec.Struct, kw_only=True):
    """How many tokens were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /v1/embeddings`."""

    object: str = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class Model(msgspec.Struct, kw_only=True):
    """A served model; `created` is in seconds since 1970."""

    id: str
    object: str = "model"
    created: int
    owned_by: str = "edgeembed"


class Models(msgspec.Struct, kw_only=True):
    """The answer of `GET /v1/models`."""

    object: str = "list"
    data: list[Model]


_REQUEST = msgspec.json.Decoder(EmbeddingsRequest)


async def embeddings(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /v1/embeddings`."""
    body = _checked(request)
    kind: NumberType = body.output_dtype or "float"
    job = EmbedJob(
        model=body.model,
        texts=listed(body.input),
        role=body.input_type,
        dimensions=body.dimensions or body.output_dimension,
        truncation=truncation(body.truncation),
        ranges=need_ranges([kind]),
    )
    asked = "dimensions" if body.dimensions else "output_dimension"
    with blaming("input", dimensions=asked, precision="output_dtype"):
        found = await engine.embed(job, caller)
        rows = in_type(found, kind)
    vectors = in_base64(rows) if body.encoding_format == "base64" else rows.tolist()
    data = [Embedding(index=n, embedding=vector) for n, vector in enumerate(vectors)]
    usage = Usage(prompt_tokens=found.tokens, total_tokens=found.tokens)
    return json_response(EmbeddingsResponse(data=data, model=found.model, usage=usage))


def _checked(request: Request) -> EmbeddingsRequest:
    try:
        body = decoded(request, _REQUEST)
    except InvalidRequestError as error:
        if (error.param or "").startswith("input[") and _are_token_ids(request.body):
            raise InvalidRequestError(
                "input: expected a text or a list of texts, got token ids, which mean something to "
                "the client's own tokenizer alone; send the texts (LangChain: "
                "OpenAIEmbeddings(check_embedding_ctx_length=False))",
                param="input",
            ) from error
        raise
    one, other = body.dimensions, body.output_dimension
    if one is not None and other is not None and one != other:
        raise InvalidRequestError(
            f"dimensions: expected the same as output_dimension, {other}, got {one}; send one",
            param="dimensions",
        )
    return body


class _TokenIds(msgspec.Struct):
    input: list[int | list[int]]


_TOKEN_IDS = msgspec.json.Decoder(_TokenIds)


def _are_token_ids(body: bytes) -> bool:
    """Whether the inputs of a body are integers, or lists of them."""
    try:
        return bool(_TOKEN_IDS.decode(body).input)
    except (msgspec.MsgspecError, RecursionError):
        return False


async def models(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `GET /v1/models`."""
    del request, caller
    return json_response(Models(data=[_described(model) for model in engine.models()]))


async def model(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `GET /v1/models/{name}`."""
    del caller
    return json_response(_described(served_model(engine, request.parameters["name"])))


def served_model(engine: Engine, name: str) -> ServedModel:
    """Return what is known of a served model.

    Raises:
        UnknownModelError: none has this name.
    """
    served = engine.models()
    for each in served:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in served)
    raise UnknownModelError(f"model: expected one of those served ({known}), got {name!r:.200}")


def _described(served: ServedModel) -> Model:
    return Model(id=served.name, created=served.created)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/embeddings",
        answer=embeddings,
        summary="Vectors of texts, as OpenAI and Voyage give them.",
        tag="OpenAI",
        takes=EmbeddingsRequest,
        gives=EmbeddingsResponse,
        examples=(
            {"input": ["hello", "world"], "encoding_format": "base64", "dimensions": 8},
            {"input": "hello", "input_type": "query", "output_dtype": "int8"},
        ),
    ),
    Endpoint(
        method="GET",
        path="/v1/models",
        answer=models,
        summary="The served models.",
        tag="OpenAI",
        gives=Models,
    ),
    Endpoint(
        method="GET",
        path="/v1/models/{name:path}",
        answer=model,
        summary="A served model.",
        tag="OpenAI",
        gives=Model,
    ),
)
