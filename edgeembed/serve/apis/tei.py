"""The wire format of text-embeddings-inference, which Hugging Face's clients speak."""

import msgspec
import numpy as np

from edgeembed.serve.apis.fields import blaming, listed, truncation
from edgeembed.serve.apis.rerank import best_first
from edgeembed.serve.apis.tei_bodies import (
    Direction,
    Sentences,
    TeiEmbedRequest,
    TeiError,
    TeiInfo,
    TeiOptions,
    TeiParameters,
    TeiRank,
    TeiRerankRequest,
    TeiRootRequest,
    TeiSimilarityRequest,
    TeiToken,
    TeiTokenizeRequest,
    TeiTokensRequest,
)
from edgeembed.serve.base.jobs import Caller, EmbedJob, Engine, RerankJob
from edgeembed.serve.http.endpoint import Endpoint, Failure, Request, Response
from edgeembed.serve.http.json_body import decoded, json_response
from edgeembed_runtime.vectors import similarity_matrix

_ROOT = msgspec.json.Decoder(TeiRootRequest)
_EMBED = msgspec.json.Decoder(TeiEmbedRequest)
_TOKENS = msgspec.json.Decoder(TeiTokensRequest)
_SIMILARITY = msgspec.json.Decoder(TeiSimilarityRequest)
_TOKENIZE = msgspec.json.Decoder(TeiTokenizeRequest)
_RERANK = msgspec.json.Decoder(TeiRerankRequest)


async def root(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /`, where Hugging Face's client sends whatever its task is."""
    body = decoded(request, _ROOT)
    if isinstance(body.inputs, Sentences):
        options = TeiParameters(
            truncate=body.truncate,
            truncation_direction=body.truncation_direction,
            prompt_name=body.prompt_name,
        )
        return await _similarities(body.inputs, options, body.model, engine, caller)
    return await _vectors(body.inputs, body, engine, caller)


async def embed(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /embed`."""
    body = decoded(request, _EMBED)
    return await _vectors(body.inputs, body, engine, caller)


async def embed_all(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /embed_all`: a vector for every token."""
    body = decoded(request, _TOKENS)
    job = EmbedJob(
        model=body.model,
        texts=listed(body.inputs),
        prompt_name=body.prompt_name,
        truncation=truncation(body.truncate, at_start=_left(body.truncation_direction)),
    )
    with blaming("inputs"):
        found = await engine.embed_tokens(job, caller)
    return json_response([vectors.tolist() for vectors in found.vectors])


async def similarity(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /similarity`."""
    body = decoded(request, _SIMILARITY)
    options = body.parameters or TeiParameters()
    return await _similarities(body.inputs, options, body.model, engine, caller)


async def tokenize(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /tokenize`."""
    body = decoded(request, _TOKENIZE)
    with blaming("inputs"):
        found = await engine.tokenize(body.model, listed(body.inputs), caller)
    return json_response(
        [
            [
                TeiToken(
                    id=token.id,
                    text=token.text,
                    special=token.special,
                    start=None if token.special else token.start,
                    stop=None if token.special else token.end,
                )
                for token in tokens
                if body.add_special_tokens or not token.special
            ]
            for tokens in found
        ]
    )


async def rerank(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `POST /rerank`."""
    body = decoded(request, _RERANK)
    job = RerankJob(
        model=body.model,
        query=body.query,
        documents=body.texts,
        truncation=truncation(body.truncate, at_start=_left(body.truncation_direction)),
    )
    with blaming("texts"):
        found = await engine.rerank(job, caller)
    return json_response(
        [
            TeiRank(index=place, score=score, text=body.texts[place] if body.return_text else None)
            for place, score in best_first(found)
        ]
    )


async def info(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `GET /info`."""
    del request, caller
    first = engine.models()[0]
    return json_response(
        TeiInfo(
            model_id=first.name,
            model_sha=first.sha256,
            model_dtype=first.variant,
            model_type={"embedding": {}},
            max_input_length=first.max_tokens,
        )
    )


async def _vectors(
    inputs: str | list[str], body: TeiOptions, engine: Engine, caller: Caller
) -> Response:
    job = EmbedJob(
        model=body.model,
        texts=listed(inputs),
        prompt_name=body.prompt_name,
        dimensions=body.dimensions,
        truncation=truncation(body.truncate, at_start=_left(body.truncation_direction)),
        normalize=True if body.normalize is None else body.normalize,
    )
    with blaming("inputs"):
        found = await engine.embed(job, caller)
    return json_response(found.vectors.tolist())


async def _similarities(
    inputs: Sentences, options: TeiParameters, model: str | None, engine: Engine, caller: Caller
) -> Response:
    job = EmbedJob(
        model=model,
        texts=[inputs.source_sentence, *inputs.sentences],
        prompt_name=options.prompt_name,
        truncation=truncation(options.truncate, at_start=_left(options.truncation_direction)),
    )
    with blaming("inputs"):
        vectors = (await engine.embed(job, caller)).vectors
    scores = similarity_matrix(vectors[:1], vectors[1:], "cosine")[0]
    return json_response(np.clip(scores, -1, 1).tolist())


def _left(direction: Direction | None) -> bool:
    return direction in ("Left", "left")


def error_body(failure: Failure) -> bytes:
    """The error body that clients of text-embeddings-inference read."""
    match failure.status:
        case 429:
            kind = "Overloaded"
        case 503:
            kind = "Unhealthy"
        case _:
            kind = "Backend" if failure.status >= 500 else "Validation"
    return msgspec.json.encode(TeiError(error=failure.message, error_type=kind))


_INPUTS = {"inputs": ["hello", "world"]}
_SENTENCES = {"inputs": {"source_sentence": "a cat", "sentences": ["a dog", "a car"]}}
_TAG = "text-embeddings-inference"
_Vectors = list[list[float]]
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/",
        answer=root,
        summary="Vectors of texts, or how close sentences are.",
        tag=_TAG,
        takes=TeiRootRequest,
        gives=list[list[float] | float],
        examples=(_INPUTS, _SENTENCES),
        error_body=error_body,
        error_gives=TeiError,
    ),
    Endpoint(
        method="POST",
        path="/embed",
        answer=embed,
        summary="Vectors of texts.",
        tag=_TAG,
        takes=TeiEmbedRequest,
        gives=_Vectors,
        examples=(_INPUTS,),
        error_body=error_body,
        error_gives=TeiError,
    ),
    Endpoint(
        method="POST",
        path="/embed_all",
        answer=embed_all,
        summary="A vector for every token of texts.",
        tag=_TAG,
        takes=TeiTokensRequest,
        gives=list[_Vectors],
        examples=(_INPUTS,),
        error_body=error_body,
        error_gives=TeiError,
    ),
    Endpoint(
        method="POST",
        path="/similarity",
        answer=similarity,
        summary="How close sentences are to another: cosines.",
        tag=_TAG,
        takes=TeiSimilarityRequest,
        gives=list[float],
        examples=(_SENTENCES,),
        error_body=error_body,
        error_gives=TeiError,
    ),
    Endpoint(
        method="POST",
        path="/tokenize",
        answer=tokenize,
        summary="The tokens of texts.",
        tag=_TAG,
        takes=TeiTokenizeRequest,
        gives=list[list[TeiToken]],
        examples=(_INPUTS,),
        error_body=error_body,
        error_gives=TeiError,
    ),
    Endpoint(
        method="POST",
        path="/rerank",
        answer=rerank,
        summary="Texts by closeness to a query.",
        tag=_TAG,
        takes=TeiRerankRequest,
        gives=list[TeiRank],
        examples=({"query": "a pet", "texts": ["a cat", "a car"]},),
        error_body=error_body,
        error_gives=TeiError,
    ),
    Endpoint(
        method="GET",
        path="/info",
        answer=info,
        summary="What is known of the first served model.",
        tag=_TAG,
        gives=TeiInfo,
        error_body=error_body,
        error_gives=TeiError,
    ),
)
