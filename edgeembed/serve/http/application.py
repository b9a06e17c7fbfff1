"""The ASGI application: every request's way from its head to its answer."""

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from edgeembed.serve.base.errors import InvalidRequestError
from edgeembed.serve.base.jobs import Caller, Engine, Lane
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.http.bodies import Bodies, ClientGoneError, RefusedError
from edgeembed.serve.http.endpoint import Endpoint, Failure, Request, Response
from edgeembed.serve.http.failures import body_for_all, failure_of, refusal
from edgeembed.serve.http.hosts import is_own_name
from edgeembed.serve.http.keys import Keys
from edgeembed.serve.http.logs import RequestLog
from edgeembed.serve.http.routes import Route, Routes
from edgeembed.serve.http.tracing import Trace
from edgeembed_runtime.errors import EdgeEmbedError

_LOG = logging.getLogger("edgeembed.serve")
# Random numbers for each request would be system calls, which wait for other threads.
_PROCESS_ID, _COUNT = secrets.token_hex(4), itertools.count(1)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Where the task of a request is in its scope's state, for the protocol, which ends it when the
# client is gone.
TASK = "edgeembed.task"
_GONE = 499
_LANES: Mapping[str, Lane] = {"interactive": "interactive", "bulk": "bulk"}


class Application:
    """An ASGI application of endpoints over an engine."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        start: Callable[[], AbstractAsyncContextManager[Engine]],
        keys: Keys | None,
        bodies: Bodies,
        meters: Meters,
        log: RequestLog,
        longest_s: float,
        trace: Trace | None = None,
        any_host: bool = True,
    ) -> None:
        """Serves once its lifespan began.

        Args:
            endpoints: the first of those for one method and path answers.
            start: starts the engine, and stops it.
            keys: who may call; None for everybody.
            bodies: reads them within limits.
            meters: where requests are counted.
            log: where they are noted.
            longest_s: the latest deadline, in seconds.
            trace: makes a span for each request; None for none.
            any_host: whether requests may call the server by any name; see hosts.py.
        """
        self._routes = Routes(endpoints)
        self._start = start
        self._keys = keys
        self._bodies = bodies
        self._meters = meters
        self._log = log
        self._longest_s = longest_s
        self._trace = trace
        self._any_host = any_host
        self._engine: Engine | None = None
        self._counters: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        match scope["type"]:
            case "http":
                exchange = _Exchange(self, scope, receive, send)
                if self._trace is None:
                    await exchange.run()
                else:
                    with self._trace(scope["method"], _headers(scope)) as end:
                        end(*await exchange.run())
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                raise NotImplementedError(f"expected http, got {scope['type']}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as running:
            try:
                self._engine = await running.enter_async_context(self._start())
            except EdgeEmbedError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        self._log.flush()
        await send({"type": "lifespan.shutdown.complete"})

    async def respond(self, scope: Scope, receive: Receive) -> tuple[Response, Endpoint | None]:
        """The answer to a request, and the endpoint that gave it, if any."""
        method, path = scope["method"], scope["path"]
        endpoint = None
        try:
            route = self._routes.find(method, path)
            if not isinstance(route, Route):
                raise await self._bodies.refused(_no_route(route, method, path), receive)
            endpoint = route.endpoint
            response = await self._answer(endpoint, route.parameters, scope, receive)
        except RefusedError as refused:
            response = _refused(refused.failure, endpoint)
        except EdgeEmbedError as error:
            response = _refused(failure_of(error), endpoint)
        except ClientGoneError:
            raise
        except Exception:
            _LOG.exception("request %s failed", path)
            response = _refused(refusal(500, "the server failed; its log says where"), endpoint)
        return response, endpoint

    async def _answer(
        self, endpoint: Endpoint, parameters: Mapping[str, str], scope: Scope, receive: Receive
    ) -> Response:
        headers = _headers(scope)
        if not self._any_host and not is_own_name(headers.get("host", "")):
            failure = refusal(
                403,
                f"host: expected localhost or an address in numbers, got {headers['host']:.100}; "
                "to be called by other names, start with --api-key-file",
            )
            raise await self._bodies.refused(failure, receive)
        name = self._caller(headers, scope)
        if name is None and endpoint.needs_key:
            failure = refusal(
                401,
                "key: expected a valid one in Authorization: Bearer KEY, got none",
                www_authenticate="Bearer",
            )
            raise await self._bodies.refused(failure, receive)
        assert self._engine is not None
        caller = Caller(
            name=name or "anonymous", deadline=self._deadline(headers), lane=_lane(headers)
        )
        given: dict[str, Any] = {
            "method": scope["method"],
            "path": scope["path"],
            "parameters": parameters,
            "query": scope["query_string"].decode("latin-1"),
            "headers": headers,
        }
        if endpoint.method == "GET":
            return await endpoint.answer(Request(**given), self._engine, caller)
        async with self._bodies.read(endpoint, headers, receive) as body:
            return await endpoint.answer(Request(**given, body=body), self._engine, caller)

    def _caller(self, headers: Mapping[str, str], scope: Scope) -> str | None:
        if self._keys is not None:
            return self._keys.name_of(headers)
        client = scope.get("client")
        return str(client[0]) if client else "local"

    def _deadline(self, headers: Mapping[str, str]) -> float:
        given = headers.get("x-deadline-ms")
        seconds = self._longest_s
        if given is not None:
            if not (given.isascii() and given.isdigit() and len(given) <= 9):
                raise InvalidRequestError(
                    f"x-deadline-ms: expected milliseconds, got {given:.40}", param="x-deadline-ms"
                )
            seconds = min(seconds, int(given) / 1000)
        return time.monotonic() + seconds

    def note(self, path: str, status: int, seconds: float, fields: Mapping[str, Any]) -> None:
        """Count and log a request."""
        found = self._counters.get((path, status))
        if found is None:
            found = self._counters[path, status] = (
                self._meters.requests.labels(path=path, status=str(status)),
                self._meters.request_seconds.labels(path=path),
            )
        found[0].inc()
        found[1].observe(seconds)
        if status >= 400:
            self._meters.rejections.labels(reason=str(status)).inc()
        self._log.note(fields)


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.perf_counter()
        self._id = _request_id(scope)
        self._begun = False

    async def run(self) -> tuple[str, int]:
        """Answer; returns the path's pattern, and the status."""
        state = self._scope.get("state")
        if state is not None:
            state[TASK] = asyncio.current_task()
        try:
            response, endpoint = await self._app.respond(self._scope, self._receive)
            await self._write(response)
            status = response.status
        except ClientGoneError:
            status, endpoint = _GONE, None
        except asyncio.CancelledError:
            # The client is gone, and the answer goes nowhere; or the server must stop now.
            if not self._begun:
                await self._write(_refused(refusal(503, "the server stops", retry_after="1")))
            status, endpoint = _GONE, None
        seconds = time.perf_counter() - self._began
        fields = {
            "id": self._id,
            "method": self._scope["method"],
            "path": self._scope["path"][:200],
            "status": status,
            "ms": round(seconds * 1000, 2),
        }
        path = "other" if endpoint is None else endpoint.path
        if endpoint is None or endpoint.counts:
            self._app.note(path, status, seconds, fields)
        return path, status

    async def _write(self, response: Response) -> None:
        self._begun = True
        headers = [
            (b"content-type", response.media_type.encode("latin-1")),
            (b"content-length", str(len(response.body)).encode("ascii")),
            (b"x-request-id", self._id.encode("ascii")),
            (b"x-content-type-options", b"nosniff"),
            *((n.encode("latin-1"), v.encode("latin-1")) for n, v in response.headers.items()),
        ]
        start = {"type": "http.response.start", "status": response.status, "headers": headers}
        await self._send(start)
        body = b"" if self._scope["method"] == "HEAD" else response.body
        await self._send({"type": "http.response.body", "body": body})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _no_route(methods: Sequence[str], method: str, path: str) -> Failure:
    if not methods:
        return refusal(404, f"path: expected one that /openapi.json lists, got {path:.200}")
    allowed = ", ".join(methods)
    return refusal(405, f"method: expected {allowed}, got {method:.20}", allow=allowed)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(given := value.decode("latin-1")):
            return given
    return f"{_PROCESS_ID}{next(_COUNT):08x}"


def _lane(headers: Mapping[str, str]) -> Lane | None:
    given = headers.get("x-lane")
    if given is None:
        return None
    if (lane := _LANES.get(given)) is None:
        raise InvalidRequestError(
            f"x-lane: expected interactive or bulk, got {given:.40}", param="x-lane"
        )
    return lane


def _refused(failure: Failure, endpoint: Endpoint | None = None) -> Response:
    make = (endpoint.error_body if endpoint is not None else None) or body_for_all
    return Response(body=make(failure), status=failure.status, headers=failure.headers)
