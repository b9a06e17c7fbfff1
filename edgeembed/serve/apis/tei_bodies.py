"""The bodies of requests and answers as text-embeddings-inference has them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgeembed.serve.apis.fields import Count, Texts
from edgeembed_runtime.version import __version__

Direction = Literal["Left", "Right", "left", "right"]


class Sentences(msgspec.Struct, kw_only=True):
    """A sentence, and those to compare it with."""

    source_sentence: str
    sentences: Annotated[list[str], Meta(min_length=1)]


class TeiOptions(msgspec.Struct, kw_only=True):
    """How to encode the inputs: by the first served model, unless `model` names another."""

    truncate: bool | None = None
    truncation_direction: Direction | None = None
    prompt_name: str | None = None
    normalize: bool | None = None
    dimensions: Count | None = None
    encoding_format: Literal["float"] | None = None
    model: str | None = None


class TeiEmbedRequest(TeiOptions, kw_only=True):
    """The body of `POST /embed`."""

    inputs: Texts


class TeiRootRequest(TeiOptions, kw_only=True):
    """The body of `POST /`: that of `/embed`, or sentences as in `/similarity`."""

    inputs: str | Annotated[list[str], Meta(min_length=1)] | Sentences


class TeiTokensRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /embed_all`."""

    inputs: Texts
    truncate: bool | None = None
    truncation_direction: Direction | None = None
    prompt_name: str | None = None
    model: str | None = None


class TeiParameters(msgspec.Struct, kw_only=True):
    """How to encode the sentences."""

    truncate: bool | None = None
    truncation_direction: Direction | None = None
    prompt_name: str | None = None


class TeiSimilarityRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /similarity`."""

    inputs: Sentences
    parameters: TeiParameters | None = None
    model: str | None = None


class TeiTokenizeRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /tokenize`."""

    inputs: Texts
    add_special_tokens: bool = True
    model: str | None = None


class TeiToken(msgspec.Struct, kw_only=True):
    """A token, and the characters that it stands for; special ones stand for none."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class TeiRerankRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /rerank`; scores are the model's own, whether raw or not."""

    query: str
    texts: Annotated[list[str], Meta(min_length=1)]
    raw_scores: bool | None = None
    return_text: bool | None = None
    truncate: bool | None = None
    truncation_direction: Direction | None = None
    model: str | None = None


class TeiRank(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A text's place in the request, and its score."""

    index: int
    score: float
    text: str | None = None


class TeiInfo(msgspec.Struct, kw_only=True):
    """The answer of `GET /info`, about the first served model."""

    model_id: str
    model_sha: str
    model_dtype: str
    model_type: dict[str, dict[str, str]]
    max_input_length: int | None
    auto_truncate: bool = True
    version: str = __version__


class TeiError(msgspec.Struct, kw_only=True):
    """The body of an error."""

    error: str
    error_type: Literal["Validation", "Overloaded", "Unhealthy", "Backend"]
