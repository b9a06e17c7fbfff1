"""What those who run a server ask it: whether it lives, is ready, and how it fares."""

from collections.abc import Callable, Sequence

from edgeembed.serve.base.errors import UnavailableError
from edgeembed.serve.base.jobs import Caller, Engine
from edgeembed.serve.http.endpoint import Endpoint, Handler, Request, Response
from edgeembed.serve.http.json_body import json_response

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TAG = "Operation"


def probes(
    *, not_ready: Callable[[], str | None], metrics: Callable[[], bytes], metrics_need_key: bool
) -> Sequence[Endpoint]:
    """The endpoints /live, /ready and /metrics.

    Args:
        not_ready: why the server is not ready, or None.
        metrics: all of them, in Prometheus' text format.
        metrics_need_key: whether /metrics asks for a key.
    """

    async def live(request: Request, engine: Engine, caller: Caller) -> Response:
        del request, engine, caller
        return json_response({"status": "live"})

    async def ready(request: Request, engine: Engine, caller: Caller) -> Response:
        del request, engine, caller
        reason = not_ready()
        if reason is not None:
            raise UnavailableError(reason)
        return json_response({"status": "ready"})

    async def show_metrics(request: Request, engine: Engine, caller: Caller) -> Response:
        del request, engine, caller
        return Response(body=metrics(), media_type=_METRICS_TYPE)

    return (
        _probe("/live", live, "Whether the process answers."),
        _probe("/ready", ready, "Whether the first model is loaded, and the server does not stop."),
        Endpoint(
            method="GET",
            path="/metrics",
            answer=show_metrics,
            summary="Metrics for Prometheus.",
            tag=_TAG,
            media_type=_METRICS_TYPE.partition(";")[0],
            needs_key=metrics_need_key,
            counts=False,
        ),
    )


def document(body: Callable[[], bytes]) -> Endpoint:
    """The endpoint /openapi.json."""

    async def show(request: Request, engine: Engine, caller: Caller) -> Response:
        del request, engine, caller
        return Response(body=body())

    return Endpoint(
        method="GET",
        path="/openapi.json",
        answer=show,
        summary="This document.",
        tag=_TAG,
        needs_key=False,
    )


def _probe(path: str, answer: Handler, summary: str) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        answer=answer,
        summary=summary,
        tag=_TAG,
        needs_key=False,
        counts=False,
    )
