"""uvicorn's protocol with bounds: on heads, on slow clients, on connections.

A client that is gone ends its request, and a stop cuts no answer.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from edgeembed.serve.http.application import TASK
from edgeembed.serve.http.failures import body_for_all, refusal

_MAX_HEAD = 32 << 10
_MAX_HEADERS = 100
_VERSIONS = ("1.0", "1.1")
# A body may come as slowly as this, in bytes a second, beyond the time for any request.
_LEAST_RATE = 20_000
_SWEEP_S = 0.5
# A closed connection whose client reads nothing is cut.
_CLOSING_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of connections; see `ServeSettings`."""

    connections: int
    idle_s: float
    read_s: float


class Connections:
    """All open connections of a process, looked through twice a second."""

    def __init__(self, limits: Limits) -> None:
        """None yet."""
        self.limits = limits
        # The oldest first.
        self.open: dict[BoundedProtocol, None] = {}
        self.stopping = False
        self._sweeping = False

    def add(self, connection: "BoundedProtocol") -> bool:
        """Take another in, perhaps in the place of an idle one; False if there is no room."""
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)
        if len(self.open) >= self.limits.connections:
            idle = next((each for each in self.open if each.is_idle), None)
            if idle is None:
                return False
            del self.open[idle]
            idle.transport.abort()
        self.open[connection] = None
        return True

    def _sweep(self) -> None:
        now = time.monotonic()
        for each in list(self.open):
            each.check_time(now)
        self._sweeping = bool(self.open)
        if self._sweeping:
            asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)


class BoundedProtocol(HttpToolsProtocol):
    """A connection. `since` is when it began to wait for what it waits for."""

    all_connections: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See uvicorn."""
        super().__init__(*args, **kwargs)
        self.since: float = time.monotonic()
        self._reading = True  # a request's head or body; at first, a head is expected
        self._in_head = True
        self._bytes = 0
        self._refusal: tuple[int, str] | None = None

    @property
    def _exchange(self) -> RequestResponseCycle | None:
        """The last request and its answer; None before the first."""
        return self.cycle

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being answered, and no request has begun to arrive."""
        exchange = self._exchange
        return not self._bytes and (exchange is None or exchange.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take the connection, or close it if there are too many."""
        super().connection_made(transport)
        if not self.all_connections.add(self):
            self._refuse(503, "too many connections; try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request that is being answered: nobody waits for it."""
        self.all_connections.open.pop(self, None)
        cycle = self._exchange
        if cycle is not None and not cycle.response_complete:
            state: Mapping[str, Any] = cycle.scope.get("state", {})
            task: asyncio.Task[None] | None = state.get(TASK)
            if task is not None:
                cycle.disconnected = True
                task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, as long as the head is within its bounds."""
        if self._refusal is not None or self.parser is None:
            return
        if not self._bytes:
            self.since = time.monotonic()
        self._bytes += len(data)
        super().data_received(data)
        if self._in_head and self._bytes > _MAX_HEAD and self._refusal is None:
            self._refuse(431, f"head: expected at most {_MAX_HEAD} bytes, got more")

    def on_url(self, url: bytes) -> None:
        """Count the path."""
        super().on_url(url)
        if len(self.url) > _MAX_HEAD:
            self._too_much_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the headers."""
        super().on_header(name, value)
        if len(self.headers) > _MAX_HEADERS or len(name) + len(value) > _MAX_HEAD:
            self._too_much_head()

    def on_headers_complete(self) -> None:
        """Begin the answer."""
        self._in_head = False
        if self.parser is not None and self.parser.get_http_version() not in _VERSIONS:
            raise httptools.HttpParserCallbackError("another version")
        super().on_headers_complete()
        if self.all_connections.stopping:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is whole; the next bytes are of another."""
        super().on_message_complete()
        self._reading = False
        self._in_head = True
        self._bytes = 0

    def on_message_begin(self) -> None:
        """A request begins."""
        self._reading = True
        super().on_message_begin()

    def on_response_complete(self) -> None:
        """Wait for the next request; not for long if the server stops."""
        self.since = time.monotonic()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or what `on_header` refused."""
        status, message = self._refusal or (400, f"head: expected HTTP/1.1; {msg.lower()}")
        self._refuse(status, message)

    def check_time(self, now: float) -> None:
        """Close the connection if its client is too slow."""
        limits, waited = self.all_connections.limits, now - self.since
        if self.transport.is_closing():
            if waited > _CLOSING_S:
                self.transport.abort()
        elif self._reading and (self._bytes or self._exchange is None):
            if waited > limits.read_s + self._bytes / _LEAST_RATE:
                self._refuse(408, f"request: expected within {limits.read_s:g} s, got a part of it")
        elif self.is_idle and waited > limits.idle_s:
            self.transport.close()

    def _too_much_head(self) -> None:
        self._refusal = (
            431,
            f"head: expected at most {_MAX_HEADERS} headers and {_MAX_HEAD} bytes, got more",
        )
        raise httptools.HttpParserCallbackError("too large")

    def _refuse(self, status: int, message: str) -> None:
        """Answer without the application, and close."""
        self._refusal = (status, message)
        if self.transport.is_closing():
            return
        cycle = self._exchange
        if cycle is None or not cycle.response_started or cycle.response_complete:
            body = body_for_all(refusal(status, message))
            self.transport.write(
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
                "connection: close\r\n\r\n".encode("ascii")
                + body
            )
        self.transport.close()


def protocol_class(connections: Connections) -> type[BoundedProtocol]:
    """The protocol of these connections, for uvicorn's `http` setting."""

    class Protocol(BoundedProtocol):
        all_connections: Connections = connections

    return Protocol
