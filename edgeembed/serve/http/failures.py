"""Errors as HTTP: a status, and a body that every client understands."""

from collections.abc import Mapping

import msgspec

from edgeembed.serve.base.errors import (
    DeadlineError,
    InvalidRequestError,
    OverloadedError,
    ServeError,
    UnknownModelError,
)
from edgeembed.serve.http.endpoint import Failure
from edgeembed_runtime.errors import (
    BundleError,
    EdgeEmbedError,
    IndexExistsError,
    IndexLockedError,
    IndexNotFoundError,
    IndexReadOnlyError,
    InputError,
    MissingExtraError,
    ProviderError,
    SearchIndexError,
    SpaceMismatchError,
    StorageError,
)

_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    429: "rate_limit_error",
    503: "unavailable_error",
    504: "timeout_error",
    507: "unavailable_error",
}
# Of the first that an error is an instance of.
_STATUSES: tuple[tuple[type[EdgeEmbedError], int], ...] = (
    (InputError, 400),
    (IndexNotFoundError, 503),  # it was there when the server started
    (IndexReadOnlyError, 403),
    (SpaceMismatchError, 409),
    (IndexExistsError, 409),
    (SearchIndexError, 503),
    (BundleError, 503),
    (ProviderError, 503),
    (MissingExtraError, 501),
    (StorageError, 507),
)


def failure_of(error: EdgeEmbedError) -> Failure:
    """Say in HTTP's words why there is no answer."""
    status = _status(error)
    headers: dict[str, str] = {}
    if isinstance(error, OverloadedError):
        headers["retry-after"] = f"{error.retry_after:.0f}"
    elif status == 503 and isinstance(error, ServeError | IndexLockedError):
        headers["retry-after"] = "1"
    return Failure(
        status=status,
        message=str(error),
        type=_type(status),
        param=error.param if isinstance(error, InvalidRequestError) else None,
        code=_code(error),
        headers=headers,
    )


def refusal(status: int, message: str, **headers: str) -> Failure:
    """Why the server itself refuses a request; header names have _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Failure(status=status, message=message, type=_type(status), headers=named)


def body_for_all(failure: Failure) -> bytes:
    """The body that clients of OpenAI ("error"), Voyage ("detail") and Cohere ("message") read."""
    return msgspec.json.encode(
        {
            "error": {
                "message": failure.message,
                "type": failure.type,
                "param": failure.param,
                "code": failure.code,
            },
            "detail": failure.message,
            "message": failure.message,
        }
    )


def _status(error: EdgeEmbedError) -> int:
    if isinstance(error, ServeError):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def _type(status: int) -> str:
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def _code(error: EdgeEmbedError) -> str | None:
    match error:
        case UnknownModelError():
            return "model_not_found"
        case OverloadedError():
            return "overloaded"
        case DeadlineError():
            return "deadline_exceeded"
        case _:
            return None
