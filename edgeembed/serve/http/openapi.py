"""The OpenAPI document, from what the endpoints declare."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edgeembed.serve.http.endpoint import Endpoint
from edgeembed_runtime.version import __version__

_JSON = "application/json"
_FAILURES: Mapping[str, str] = {
    "400": "The request breaks the rules.",
    "401": "No valid key.",
    "404": "No such model, index or path.",
    "413": "Over a limit of the server.",
    "415": "Not application/json.",
    "422": "A picture that cannot be used.",
    "429": "The queue is full; see Retry-After.",
    "503": "The model or the index cannot be used now.",
    "504": "The deadline passed.",
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        },
        "detail": {"type": "string"},
        "message": {"type": "string"},
    },
}
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def openapi(endpoints: Sequence[Endpoint], *, with_keys: bool) -> bytes:
    """The document as JSON; `with_keys` says whether a key is asked for."""
    named = [each for one in endpoints for each in (one.takes, one.gives, one.error_gives)]
    types = [each for each in named if each is not None]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    by_type = list(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        operation = _operation(endpoint, by_type, with_keys=with_keys)
        paths.setdefault(path, {}).setdefault(endpoint.method.lower(), operation)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "edgeembed",
            "version": __version__,
            "description": "Embeddings, reranking and search, for the clients that people have.",
        },
        "paths": paths,
        "components": {"schemas": {**components, "Error": _ERROR}},
    }
    if with_keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return msgspec.json.encode(document)


def _operation(
    endpoint: Endpoint, by_type: Sequence[tuple[Any, Any]], *, with_keys: bool
) -> dict[str, Any]:
    def content(kind: Any, media_type: str = _JSON) -> dict[str, Any]:
        schema = next((schema for known, schema in by_type if known is kind), {})
        return {media_type: {"schema": schema}}

    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "responses": {
            "200": {
                "description": "The answer.",
                "content": content(endpoint.gives, endpoint.media_type),
            }
        },
    }
    names = _PARAMETER.findall(endpoint.path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if endpoint.takes is not None:
        body = content(endpoint.takes)
        if endpoint.examples:
            body[_JSON]["examples"] = {
                f"example-{n}": {"value": value} for n, value in enumerate(endpoint.examples, 1)
            }
        operation["requestBody"] = {"required": True, "content": body}
    error = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    if endpoint.error_gives is not None:
        error = content(endpoint.error_gives)
    for status, words in _FAILURES.items():
        operation["responses"][status] = {"description": words, "content": error}
    if with_keys and endpoint.needs_key:
        operation["security"] = [{"key": []}]
    return operation
