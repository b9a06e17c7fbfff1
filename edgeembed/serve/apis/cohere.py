"""Cohere's wire format: embeddings of texts, images and inputs that are either."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgeembed.serve.apis.fields import Count, blaming, truncation
from edgeembed.serve.apis.images import embed_mixed, image_bytes
from edgeembed.serve.apis.vectors import NumberType, in_base64, in_type, need_ranges
from edgeembed.serve.base.errors import InvalidRequestError
from edgeembed.serve.base.jobs import Caller, Embedded, EmbedJob, Engine
from edgeembed.serve.http.endpoint import Endpoint, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response
from edgeembed_runtime.encoder.prompts import Role

InputType = Literal["search_document", "search_query", "classification", "clustering", "image"]
EmbeddingType = Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]
_ROLES: Mapping[InputType, Role] = {"search_document": "document", "search_query": "query"}


class ImageUrl(msgspec.Struct, kw_only=True):
    """A data URL."""

    url: str


class TextContent(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    """A text."""

    text: str


class ImageContent(msgspec.Struct, kw_only=True, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageUrl


class MixedInput(msgspec.Struct, kw_only=True):
    """A text or an image; no model here makes one vector of both."""

    content: Annotated[list[TextContent | ImageContent], Meta(min_length=1, max_length=1)]


class CohereEmbedRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /v1/embed` and `POST /v2/embed`: one of texts, images and inputs."""

    texts: Annotated[list[str], Meta(min_length=1)] | None = None
    images: Annotated[list[str], Meta(min_length=1)] | None = None
    inputs: Annotated[list[MixedInput], Meta(min_length=1)] | None = None
    model: str | None = None
    input_type: InputType | None = None
    embedding_types: list[EmbeddingType] | None = None
    output_dimension: Count | None = None
    truncate: Literal["NONE", "START", "END"] | None = None


class ApiVersion(msgspec.Struct, kw_only=True):
    """The version that was asked."""

    version: str


class BilledUnits(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was read; clients add it up."""

    input_tokens: int | None = None
    images: int | None = None
    search_units: int | None = None


class ApiMeta(msgspec.Struct, kw_only=True):
    """What clients expect beside an answer."""

    api_version: ApiVersion
    billed_units: BilledUnits


class EmbeddingsByType(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The vectors in each type that was asked for; "base64" is that of little-endian float32."""

    float_: list[list[float]] | None = msgspec.field(default=None, name="float")
    int8: list[list[int]] | None = None
    uint8: list[list[int]] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None
    base64: list[str] | None = None


class CohereEmbedResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer: vectors by type, or of /v1 without `embedding_types` as they are."""

    id: str
    response_type: Literal["embeddings_by_type", "embeddings_floats"]
    embeddings: EmbeddingsByType | list[list[float]]
    texts: list[str]
    meta: ApiMeta


_REQUEST = msgspec.json.Decoder(CohereEmbedRequest)


def api_meta(version: str, *, tokens: int | None = None, images: int | None = None) -> ApiMeta:
    """What clients expect beside an answer."""
    units = BilledUnits(input_tokens=tokens, images=images or None)
    return ApiMeta(api_version=ApiVersion(version=version), billed_units=units)


async def embed_v1(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /v1/embed`."""
    return await _embed("1", request, engine, caller)


async def embed_v2(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /v2/embed`."""
    return await _embed("2", request, engine, caller)


async def _embed(version: str, request: Request, engine: Engine, caller: Caller) -> Response:
    body = decoded(request, _REQUEST)
    field, inputs = _inputs(body)
    kinds = body.embedding_types or ["float"]
    job = EmbedJob(
        model=body.model,
        role=None if body.input_type is None else _ROLES.get(body.input_type),
        dimensions=body.output_dimension,
        truncation=truncation(body.truncate != "NONE", at_start=body.truncate == "START"),
        ranges=need_ranges(kinds),
    )
    with blaming(field, dimensions="output_dimension", precision="embedding_types"):
        found = await embed_mixed(inputs, job, engine, caller)
        by_type = _by_type(found, kinds)
    floats_only = version == "1" and not body.embedding_types
    texts = [each for each in inputs if isinstance(each, str)]
    return json_response(
        CohereEmbedResponse(
            id=str(uuid.uuid4()),
            response_type="embeddings_floats" if floats_only else "embeddings_by_type",
            embeddings=by_type.float_ or [] if floats_only else by_type,
            texts=texts,
            meta=api_meta(version, tokens=found.tokens, images=len(inputs) - len(texts)),
        )
    )


def _inputs(body: CohereEmbedRequest) -> tuple[str, Sequence[str | bytes]]:
    """The field that has the inputs, and the inputs."""
    fields: Mapping[str, Sequence[Any] | None] = {
        "texts": body.texts,
        "images": body.images,
        "inputs": body.inputs,
    }
    given = [name for name, value in fields.items() if value is not None]
    if len(given) != 1:
        raise InvalidRequestError(
            f"texts: expected one of texts, images and inputs, got {' and '.join(given) or 'none'}",
            param="texts",
        )
    if body.images is not None:
        return "images", [image_bytes(url, f"images[{n}]") for n, url in enumerate(body.images)]
    if body.inputs is not None:
        return "inputs", [_either(each, n) for n, each in enumerate(body.inputs)]
    return "texts", body.texts or []


def _either(mixed: MixedInput, position: int) -> str | bytes:
    (content,) = mixed.content
    if isinstance(content, TextContent):
        return content.text
    return image_bytes(content.image_url.url, f"inputs[{position}].content[0].image_url.url")


def _by_type(found: Embedded, kinds: Sequence[EmbeddingType]) -> EmbeddingsByType:
    made = EmbeddingsByType()
    for kind in kinds:
        if kind == "base64":
            made.base64 = in_base64(found.vectors)
        else:
            number: NumberType = kind
            setattr(made, "float_" if kind == "float" else kind, in_type(found, number).tolist())
    return made


_TEXTS = {"texts": ["hello", "world"], "input_type": "search_document"}
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/embed",
        answer=embed_v1,
        summary="Vectors of texts or images.",
        tag="Cohere",
        takes=CohereEmbedRequest,
        gives=CohereEmbedResponse,
        examples=(_TEXTS,),
        images=True,
    ),
    Endpoint(
        method="POST",
        path="/v2/embed",
        answer=embed_v2,
        summary="Vectors of texts, images, or inputs that are either.",
        tag="Cohere",
        takes=CohereEmbedRequest,
        gives=CohereEmbedResponse,
        examples=({**_TEXTS, "embedding_types": ["float", "ubinary"]},),
        images=True,
    ),
)
