"""What goes wrong between a request and the engine, each with the HTTP status that says so."""

from typing import ClassVar

from edgeembed_runtime.errors import EdgeEmbedError


class ServeError(EdgeEmbedError):
    """A request cannot be answered; `status` is the HTTP status that says why."""

    status: ClassVar[int] = 500


class InvalidRequestError(ServeError):
    """The request breaks its API's rules; `param` names the field, where one does."""

    status: ClassVar[int] = 400

    def __init__(self, message: str, *, param: str | None = None) -> None:
        """`message` says what, expected, got and how to fix it."""
        super().__init__(message)
        self.param = param


class UnprocessableError(InvalidRequestError):
    """What the request carries cannot be used: a picture that is damaged, or no picture."""

    status: ClassVar[int] = 422


class UnknownModelError(ServeError):
    """No model, or index, of this name is served."""

    status: ClassVar[int] = 404


class TooLargeError(ServeError):
    """The body, or what it asks for, is over a limit of the server."""

    status: ClassVar[int] = 413


class OverloadedError(ServeError):
    """The queue is full; `retry_after` is in seconds."""

    status: ClassVar[int] = 429

    def __init__(self, message: str, *, retry_after: float) -> None:
        """`retry_after`: when the work now in the queue will be done, in seconds."""
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(ServeError):
    """A model that does not load, an index that is locked or damaged, a server that stops."""

    status: ClassVar[int] = 503


class DeadlineError(ServeError):
    """The deadline passed before the work ran."""

    status: ClassVar[int] = 504
