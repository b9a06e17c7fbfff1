"""The endpoints of all APIs."""

from collections.abc import Sequence

from edgeembed.serve.apis import cohere, indexes, ollama, openai, rerank, tei, voyage
from edgeembed.serve.http.endpoint import Endpoint

ENDPOINTS: Sequence[Endpoint] = (
    *openai.ENDPOINTS,
    *cohere.ENDPOINTS,
    *rerank.ENDPOINTS,
    *voyage.ENDPOINTS,
    *ollama.ENDPOINTS,
    *tei.ENDPOINTS,
    *indexes.ENDPOINTS,
)
