"""Ollama's wire format: embeddings, and what is known of the models."""

import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from edgeembed.serve.apis.fields import Count, Texts, blaming, listed, truncation
from edgeembed.serve.apis.openai import served_model
from edgeembed.serve.base.jobs import Caller, EmbedJob, Engine, ServedModel
from edgeembed.serve.http.endpoint import Endpoint, Failure, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response
from edgeembed_runtime.version import __version__

_ANY_TAG = ":latest"


class OllamaEmbedRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /api/embed`; `options` and `keep_alive` are for Ollama's own engine."""

    model: str
    input: Texts
    truncate: bool | None = None
    dimensions: Count | None = None
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None


class OllamaEmbedResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /api/embed`; the duration is in nanoseconds."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int = 0
    prompt_eval_count: int


class OllamaPromptRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /api/embeddings`, which newer clients no longer send."""

    model: str
    prompt: str
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None


class OllamaPromptResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /api/embeddings`."""

    embedding: list[float]


class OllamaDetails(msgspec.Struct, kw_only=True):
    """What a model is made of."""

    parent_model: str = ""
    format: str = "onnx"
    family: str = "embedding"
    families: tuple[str, ...] = ("embedding",)
    parameter_size: str = ""
    quantization_level: str


class OllamaModel(msgspec.Struct, kw_only=True):
    """A model in the list of `GET /api/tags`; the size is in bytes."""

    name: str
    model: str
    modified_at: datetime
    size: int
    digest: str
    details: OllamaDetails


class OllamaTags(msgspec.Struct, kw_only=True):
    """The answer of `GET /api/tags`."""

    models: list[OllamaModel]


class OllamaShowRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /api/show`."""

    model: str
    verbose: bool | None = None


class OllamaShowResponse(msgspec.Struct, kw_only=True):
    """The answer of `POST /api/show`."""

    modified_at: datetime
    details: OllamaDetails
    model_info: dict[str, int | str | None]
    capabilities: tuple[str, ...] = ("embedding",)


class OllamaVersion(msgspec.Struct, kw_only=True):
    """The answer of `GET /api/version`."""

    version: str = __version__


class OllamaError(msgspec.Struct, kw_only=True):
    """The body of an error."""

    error: str


_EMBED = msgspec.json.Decoder(OllamaEmbedRequest)
_PROMPT = msgspec.json.Decoder(OllamaPromptRequest)
_SHOW = msgspec.json.Decoder(OllamaShowRequest)


async def embed(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /api/embed`."""
    started = time.perf_counter_ns()
    body = decoded(request, _EMBED)
    job = EmbedJob(
        model=_untagged(body.model),
        texts=listed(body.input),
        dimensions=body.dimensions,
        truncation=truncation(body.truncate),
        normalize=True,
    )
    with blaming("input"):
        found = await engine.embed(job, caller)
    return json_response(
        OllamaEmbedResponse(
            model=body.model,
            embeddings=found.vectors.tolist(),
            total_duration=time.perf_counter_ns() - started,
            prompt_eval_count=found.tokens,
        )
    )


async def embed_prompt(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /api/embeddings`."""
    body = decoded(request, _PROMPT)
    job = EmbedJob(model=_untagged(body.model), texts=[body.prompt], normalize=True)
    with blaming("prompt"):
        found = await engine.embed(job, caller)
    return json_response(OllamaPromptResponse(embedding=found.vectors[0].tolist()))


async def tags(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `GET /api/tags`."""
    del request, caller
    models = [
        OllamaModel(
            name=served.name,
            model=served.name,
            modified_at=_time(served),
            size=served.size,
            digest=served.sha256,
            details=OllamaDetails(quantization_level=served.variant),
        )
        for served in engine.models()
    ]
    return json_response(OllamaTags(models=models))


async def show(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /api/show`."""
    del caller
    served = served_model(engine, _untagged(decoded(request, _SHOW).model))
    return json_response(
        OllamaShowResponse(
            modified_at=_time(served),
            details=OllamaDetails(quantization_level=served.variant),
            model_info={
                "general.architecture": "embedding",
                "embedding.embedding_length": served.dim,
                "embedding.context_length": served.max_tokens,
            },
        )
    )


async def version(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `GET /api/version`."""
    del request, engine, caller
    return json_response(OllamaVersion())


def error_body(failure: Failure) -> bytes:
    """The error body that Ollama's clients read: its `error` is a string."""
    return msgspec.json.encode(OllamaError(error=failure.message))


def _untagged(model: str) -> str:
    return model.removesuffix(_ANY_TAG)


def _time(served: ServedModel) -> datetime:
    return datetime.fromtimestamp(served.created, UTC)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/embed",
        answer=embed,
        summary="Vectors of texts, of length 1.",
        tag="Ollama",
        takes=OllamaEmbedRequest,
        gives=OllamaEmbedResponse,
        examples=({"model": "default", "input": ["hello", "world"]},),
        error_body=error_body,
        error_gives=OllamaError,
    ),
    Endpoint(
        method="POST",
        path="/api/embeddings",
        answer=embed_prompt,
        summary="The vector of one text, as older clients ask for it.",
        tag="Ollama",
        takes=OllamaPromptRequest,
        gives=OllamaPromptResponse,
        examples=({"model": "default", "prompt": "hello"},),
        error_body=error_body,
        error_gives=OllamaError,
    ),
    Endpoint(
        method="GET",
        path="/api/tags",
        answer=tags,
        summary="The served models.",
        tag="Ollama",
        gives=OllamaTags,
        error_body=error_body,
        error_gives=OllamaError,
    ),
    Endpoint(
        method="POST",
        path="/api/show",
        answer=show,
        summary="What is known of a model.",
        tag="Ollama",
        takes=OllamaShowRequest,
        gives=OllamaShowResponse,
        error_body=error_body,
        error_gives=OllamaError,
    ),
    Endpoint(
        method="GET",
        path="/api/version",
        answer=version,
        summary="The version of edgeembed.",
        tag="Ollama",
        gives=OllamaVersion,
        error_body=error_body,
        error_gives=OllamaError,
    ),
)
