"""The second stage of a search: scores the best candidates again, better and slower."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.search_profile import SearchProfile
from edgeembed_runtime.errors import EdgeEmbedError, InputError, RerankError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.encoding import encoded_documents, encoded_queries

_LOG = logging.getLogger(__name__)
_SLOW_S = 2.0


@public
@runtime_checkable
class Reranker(Protocol):
    """Scores documents for a query, such as a cross-encoder does."""

    def rerank(self, query: str, documents: Sequence[str]) -> ArrayLike:
        """Return n finite scores, higher is better, for n documents (titles included)."""
        ...


@runtime_checkable
class HasSearchProfile(Protocol):
    """An encoder that says how to search with it; `Encoder` does."""

    @property
    def search_profile(self) -> SearchProfile:
        """How to search with it."""
        ...


@dataclass(frozen=True, kw_only=True)
class EncoderReranker:
    """Scores by the cosines of another encoder, of any space."""

    encoder: IndexEncoder

    def rerank(self, query: str, documents: Sequence[str]) -> NDArray[np.float32]:
        """See `Reranker`; 0 for what the encoder does not know."""
        (vector,) = encoded_queries(self.encoder, [query], dim=self.encoder.dim)
        return encoded_documents(self.encoder, documents, dim=self.encoder.dim) @ vector


def profile_of(encoder: object) -> SearchProfile:
    """How to search with an encoder: as it says, or as is usual."""
    profile: object = encoder.search_profile if isinstance(encoder, HasSearchProfile) else None
    return profile if isinstance(profile, SearchProfile) else SearchProfile()


def as_reranker(rerank: object) -> Reranker:
    """A reranker, or an encoder as one.

    Raises:
        InputError: it is neither.
    """
    if isinstance(rerank, Reranker):
        return rerank
    if all(hasattr(rerank, name) for name in ("encode_query", "encode_document", "dim")):
        return EncoderReranker(encoder=rerank)  # type: ignore[arg-type]
    raise InputError(
        f"rerank: expected an Encoder, or an object with rerank(query, documents), got "
        f"{type(rerank).__name__}"
    )


def rerank_scores(reranker: Reranker, query: str, documents: Sequence[str]) -> NDArray[np.float64]:
    """The scores of some documents, checked: (n,) float64.

    Raises:
        RerankError: the reranker raised, or returned something other than n finite numbers.
    """
    name = type(reranker).__name__
    began = time.perf_counter()
    try:
        scores = np.asarray(reranker.rerank(query, documents), dtype=np.float64)
    except EdgeEmbedError:
        raise
    except Exception as error:
        raise RerankError(
            f"rerank: {name} raised {type(error).__name__}: {first_line(error)}"
        ) from error
    if scores.shape != (len(documents),):
        raise RerankError(
            f"rerank: expected {len(documents)} scores from {name}, one for each document, got an "
            f"array of shape {scores.shape}"
        )
    if not np.isfinite(scores).all():
        position = int(np.argmin(np.isfinite(scores)))
        raise RerankError(
            f"rerank: expected finite scores from {name}, got {scores[position]} for document "
            f"{position}"
        )
    if (seconds := time.perf_counter() - began) > _SLOW_S:
        _LOG.warning(
            "re-scoring %d documents took %.1f s; a smaller depth takes less",
            len(documents),
            seconds,
        )
    return scores
