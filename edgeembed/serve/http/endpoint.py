"""What an API module declares: paths, what they take and give, and the function that answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edgeembed.serve.base.jobs import Caller, Engine


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request whose head and body are within the limits, from a caller with a valid key.

    Args:
        method: "GET" or "POST".
        path: decoded, without the query.
        parameters: the parts of the path that the endpoint's pattern names.
        query: the query string, still encoded.
        headers: by lower-case name; of several with one name, the last.
        body: all of it; empty for GET. See `json_body.decoded`.
    """

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer, whole."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why there is no answer, in the words that error bodies are made of.

    Args:
        status: the HTTP status.
        message: what, expected, got, how to fix it.
        type: "invalid_request_error", "authentication_error", "not_found_error",
            "rate_limit_error", "timeout_error", "unavailable_error" or "server_error".
        param: the field of the request, where one is to blame.
        code: a word for programs, such as "model_not_found".
        headers: such as Retry-After.
    """

    status: int
    message: str
    type: str
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Handler = Callable[[Request, Engine, Caller], Awaitable[Response]]
"""Answers a request. Raises a ServeError or another EdgeEmbedError, which become error bodies by
`http/failures.py`; never catches asyncio.CancelledError, which says that the client is gone."""
ErrorBody = Callable[[Failure], bytes]
"""The error body of an API, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A path of an API.

    Args:
        method: GET or POST; GET answers HEAD as well.
        path: such as "/v1/models/{name}"; "{name:path}" takes slashes too.
        answer: the function that answers.
        summary: one line for the OpenAPI document.
        tag: the API, which groups the document.
        takes: the msgspec type of the body; None for none.
        gives: the msgspec type of the answer; None for another media type than JSON.
        examples: bodies that work with any model, for the document.
        error_body: None for the body that serves all clients; see `http/failures.py`.
        error_gives: the msgspec type of that body; None if it serves all clients.
        media_type: of the answer.
        needs_key: whether --api-key-file guards it.
        counts: False for probes, which are neither logged nor refused while the server stops.
        images: whether the body may be as large as pictures are.
    """

    method: Literal["GET", "POST"]
    path: str
    answer: Handler
    summary: str
    tag: str
    takes: Any = None
    gives: Any = None
    examples: Sequence[Mapping[str, Any]] = ()
    error_body: ErrorBody | None = None
    error_gives: Any = None
    media_type: str = "application/json"
    needs_key: bool = True
    counts: bool = True
    images: bool = False
