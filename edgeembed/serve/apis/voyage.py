"""Voyage's wire format of texts and images in one request; its texts alone are in openai.py."""

import io
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgeembed.serve.apis.fields import Count, blaming, truncation
from edgeembed.serve.apis.images import embed_mixed, image_bytes
from edgeembed.serve.apis.openai import Embedding
from edgeembed.serve.apis.vectors import NumberType, in_base64, in_type, need_ranges
from edgeembed.serve.base.jobs import Caller, EmbedJob, Engine
from edgeembed.serve.http.endpoint import Endpoint, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response
from edgeembed_runtime.inputs.image.open import open_image


class VoyageText(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    """A text."""

    text: str


class VoyageImage(msgspec.Struct, kw_only=True, tag_field="type", tag="image_base64"):
    """An image, as a data URL."""

    image_base64: str


class VoyageLink(msgspec.Struct, kw_only=True, tag_field="type", tag="image_url"):
    """An image, as a data URL; no other URL is fetched."""

    image_url: str


class VoyageInput(msgspec.Struct, kw_only=True):
    """A text or an image; no model here makes one vector of both."""

    content: Annotated[
        list[VoyageText | VoyageImage | VoyageLink], Meta(min_length=1, max_length=1)
    ]


class MultimodalRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /v1/multimodalembeddings`."""

    inputs: Annotated[list[VoyageInput], Meta(min_length=1)]
    model: str | None = None
    input_type: Literal["query", "document"] | None = None
    truncation: bool | None = None
    output_dtype: NumberType | None = None
    output_dimension: Count | None = None
    encoding_format: Literal["float", "base64"] | None = None


class MultimodalUsage(msgspec.Struct, kw_only=True):
    """What was read."""

    text_tokens: int
    image_pixels: int
    video_pixels: int = 0
    total_tokens: int


class MultimodalResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /v1/multimodalembeddings`."""

    object: str = "list"
    data: list[Embedding]
    model: str
    usage: MultimodalUsage


_REQUEST = msgspec.json.Decoder(MultimodalRequest)


async def multimodal(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /v1/multimodalembeddings`."""
    body = decoded(request, _REQUEST)
    inputs = [_either(each, n) for n, each in enumerate(body.inputs)]
    kind: NumberType = body.output_dtype or "float"
    job = EmbedJob(
        model=body.model,
        role=body.input_type,
        dimensions=body.output_dimension,
        truncation=truncation(body.truncation),
        ranges=need_ranges([kind]),
    )
    with blaming("inputs", dimensions="output_dimension", precision="output_dtype"):
        found = await embed_mixed(inputs, job, engine, caller)
        rows = in_type(found, kind)
    vectors = in_base64(rows) if body.encoding_format == "base64" else rows.tolist()
    usage = MultimodalUsage(
        text_tokens=found.tokens, image_pixels=_pixels(inputs), total_tokens=found.tokens
    )
    return json_response(
        MultimodalResponse(
            data=[Embedding(index=n, embedding=vector) for n, vector in enumerate(vectors)],
            model=found.model,
            usage=usage,
        )
    )


def _either(mixed: VoyageInput, position: int) -> str | bytes:
    (content,) = mixed.content
    where = f"inputs[{position}].content[0]"
    if isinstance(content, VoyageText):
        return content.text
    if isinstance(content, VoyageImage):
        return image_bytes(content.image_base64, f"{where}.image_base64")
    return image_bytes(content.image_url, f"{where}.image_url")


def _pixels(inputs: Sequence[str | bytes]) -> int:
    """How many pixels the images have; their headers say."""
    count = 0
    for each in inputs:
        if isinstance(each, bytes):
            with open_image(io.BytesIO(each)) as opened:
                count += opened.image.width * opened.image.height
    return count


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/multimodalembeddings",
        answer=multimodal,
        summary="Vectors of texts and images, as Voyage gives them.",
        tag="Voyage",
        takes=MultimodalRequest,
        gives=MultimodalResponse,
        examples=({"inputs": [{"content": [{"type": "text", "text": "hello"}]}]},),
        images=True,
    ),
)
