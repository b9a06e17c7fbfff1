"""What a request asks for, whichever API it came by, and what the engine answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.encoder.prompts import Role
from edgeembed_runtime.inputs.text.truncation import Truncation

Lane = Literal["interactive", "bulk"]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, and for how long the answer is of use.

    Args:
        name: what fairness and logs know the caller by: the name of its key, never the key.
        deadline: the time of `time.monotonic()` after which nobody waits for the answer.
        lane: "interactive" or "bulk"; None for a choice by the size of the job.
    """

    name: str
    deadline: float
    lane: Lane | None = None


@dataclass(frozen=True, kw_only=True)
class EmbedJob:
    """Texts or images to encode with one model; vectors come back in this order.

    Args:
        model: the name of a served model; None for the first.
        texts: the texts; empty if there are images.
        images: encoded pictures (PNG, JPEG, ...); empty if there are texts.
        role: whose prompt is prepended, where the model has prompts; None for the default prompt.
        prompt_name: one of the model's prompts by name, instead of `role`.
        dimensions: keep so many leading components, and normalize again.
        truncation: for texts over the model's limit, "truncate" or "error".
        normalize: vectors of length 1; None for what the model gives.
        ranges: whether the answer needs its `ranges`, for 8-bit vectors.
    """

    model: str | None = None
    texts: Sequence[str] = ()
    images: Sequence[bytes] = ()
    role: Role | None = None
    prompt_name: str | None = None
    dimensions: int | None = None
    truncation: Truncation = "truncate"
    normalize: bool | None = None
    ranges: bool = False


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """The vectors, (n, d) float32, and the tokens that were read for them.

    `ranges`, where the job asks for them, are `Encoder.default_ranges` for vectors of so many
    components: (2, d) float32.
    """

    model: str
    vectors: NDArray[np.float32]
    tokens: int
    ranges: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class TokenVectors:
    """The vectors of every token of each text, [(tokens, d) float32]."""

    model: str
    vectors: Sequence[NDArray[np.float32]]
    tokens: int


@dataclass(frozen=True, kw_only=True)
class RerankJob:
    """Documents to score against a query."""

    model: str | None = None
    query: str
    documents: Sequence[str]
    truncation: Truncation = "truncate"


@dataclass(frozen=True, kw_only=True)
class Reranked:
    """A score for each document, (n,) float32, in the order of the documents."""

    model: str
    scores: NDArray[np.float32]
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token, and the characters of the text that it stands for."""

    id: int
    text: str
    special: bool
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """What is known of a served model, loaded or not; `size` is in bytes on disk."""

    name: str
    path: str
    dim: int
    max_tokens: int | None
    modalities: Sequence[str]
    prompts: Sequence[str]
    variant: str
    size: int
    created: int
    sha256: str
    loaded: bool


@dataclass(frozen=True, kw_only=True)
class ServedIndex:
    """A mounted index."""

    name: str
    passages: int
    dim: int
    model: str | None
    writable: bool


@dataclass(frozen=True, kw_only=True)
class SearchJob:
    """A question to a mounted index: a text, or a vector of one's own."""

    index: str | None = None
    query: str | None = None
    vector: Sequence[float] | None = None
    k: int = 10
    mode: Literal["dense", "keyword", "hybrid"] | None = None
    where: Mapping[str, Any] | None = None
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """A hit of a search."""

    key: str
    score: float
    document: str | None
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class UpsertJob:
    """Documents to put into a mounted index, in one commit."""

    index: str | None = None
    keys: Sequence[str]
    documents: Sequence[str]
    metadatas: Sequence[Mapping[str, Any] | None] | None = None


@dataclass(frozen=True, kw_only=True)
class DeleteJob:
    """Keys, or a filter, to delete from a mounted index, in one commit."""

    index: str | None = None
    keys: Sequence[str] | None = None
    where: Mapping[str, Any] | None = None


class Engine(Protocol):
    """What the APIs call. Every method raises EdgeEmbedError, or a ServeError of its own."""

    def models(self) -> Sequence[ServedModel]:
        """The served models, the default first."""
        ...

    def indexes(self) -> Sequence[ServedIndex]:
        """The mounted indexes, the default first."""
        ...

    async def embed(self, job: EmbedJob, caller: Caller) -> Embedded:
        """Encode texts or images."""
        ...

    async def embed_tokens(self, job: EmbedJob, caller: Caller) -> TokenVectors:
        """Encode texts to a vector for each token."""
        ...

    async def rerank(self, job: RerankJob, caller: Caller) -> Reranked:
        """Score documents against a query."""
        ...

    async def tokenize(
        self, model: str | None, texts: Sequence[str], caller: Caller
    ) -> Sequence[Sequence[Token]]:
        """Cut texts into tokens, special ones included."""
        ...

    async def search(self, job: SearchJob, caller: Caller) -> Sequence[Found]:
        """Search a mounted index, best first."""
        ...

    async def upsert(self, job: UpsertJob, caller: Caller) -> int:
        """Store documents; returns how many."""
        ...

    async def delete(self, job: DeleteJob, caller: Caller) -> int:
        """Delete documents; returns how many there were."""
        ...
