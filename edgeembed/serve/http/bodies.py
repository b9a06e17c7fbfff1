"""Bodies of requests, read within limits."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from starlette.types import Receive

from edgeembed.serve.http.endpoint import Endpoint, Failure
from edgeembed.serve.http.failures import refusal

# Of a body that is refused, so much is read and forgotten, so that its sender reads the answer.
_MAX_DISCARDED, _DISCARD_S, _SILENCE_S = 64 << 20, 2.0, 0.2


class RefusedError(Exception):
    """The server refuses a request before its API sees it."""

    def __init__(self, failure: Failure) -> None:
        """`failure` says why."""
        super().__init__(failure.message)
        self.failure = failure


class ClientGoneError(Exception):
    """The client went away before its request was whole."""


class Bodies:
    """Reads bodies, each within its limit, and all within one."""

    def __init__(self, *, most: int, most_images: int, most_held: int) -> None:
        """Limits in bytes: of a body, of one of images, and of all that are being answered."""
        self._most = most
        self._most_images = most_images
        self._most_held = most_held
        self._held = 0

    @asynccontextmanager
    async def read(
        self, endpoint: Endpoint, headers: Mapping[str, str], receive: Receive
    ) -> AsyncGenerator[bytes]:
        """The body, which counts as held within the block.

        Raises:
            RefusedError: it is too large, of another type, or too much is held.
            ClientGoneError: it did not come to its end.
        """
        most = self._most_images if endpoint.images else self._most
        declared = headers.get("content-length")
        failure = _unreadable(endpoint, headers)
        if failure is None and declared is not None and int(declared) > most:
            failure = _too_large(most)
        if failure is not None:
            raise await self.refused(failure, receive)
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part: bytes = message.get("body", b"")
                parts.append(part)
                size += len(part)
                self._held += len(part)
                if size > most or self._held > self._most_held:
                    failure = _too_large(most) if size > most else _too_much()
                    parts.clear()
                    raise await self.refused(failure, receive, more=message.get("more_body", False))
                if not message.get("more_body", False):
                    break
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            yield body
        finally:
            self._held -= size

    @staticmethod
    async def refused(failure: Failure, receive: Receive, *, more: bool = True) -> RefusedError:
        """The error for a refused request, after what is left of its body was read and forgotten.

        If that is too much, the connection is closed.

        Raises:
            ClientGoneError: the client went away.
        """
        seen, began = 0, time.monotonic()
        while more and seen < _MAX_DISCARDED and time.monotonic() - began < _DISCARD_S:
            try:
                async with asyncio.timeout(_SILENCE_S):
                    message = await receive()
            except TimeoutError:  # it waits for the answer
                break
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            seen += len(message.get("body", b""))
            more = message.get("more_body", False)
        if more:
            failure = replace(failure, headers={**failure.headers, "connection": "close"})
        return RefusedError(failure)


def _unreadable(endpoint: Endpoint, headers: Mapping[str, str]) -> Failure | None:
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return refusal(411, "body: expected Content-Length, got none")
    encoding = headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        return refusal(415, f"content-encoding: expected none, got {encoding:.40}")
    if endpoint.takes is None:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    # Only what a page of another site cannot send without being asked: not text/plain, not forms.
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return None
    return refusal(
        415,
        f"content-type: expected application/json, got {kind:.80}"
        if kind
        else "content-type: expected application/json, got none",
    )


def _too_large(most: int) -> Failure:
    return refusal(413, f"body: expected at most {most} bytes, got more; send less at once")


def _too_much() -> Failure:
    return refusal(429, "the server holds too many bodies; try again", retry_after="1")
