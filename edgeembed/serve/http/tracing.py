"""Spans of OpenTelemetry, where that is installed and wanted."""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager

from edgeembed_runtime.errors import MissingExtraError

Span = Callable[[str, int], None]
"""Called at a request's end, with its path's pattern and its status."""
Trace = Callable[[str, Mapping[str, str]], AbstractContextManager[Span]]
"""Called at a request's beginning, with its method and headers."""


def tracing() -> Trace:
    """Spans for OpenTelemetry's tracer, which `opentelemetry-instrument` or the process sets up.

    Raises:
        MissingExtraError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import propagate, trace
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("open_telemetry", "telemetry") from error
    tracer = trace.get_tracer("edgeembed.serve")

    @contextmanager
    def span_of(method: str, headers: Mapping[str, str]) -> Generator[Span]:
        parent = propagate.extract(headers)
        with tracer.start_as_current_span(
            method, context=parent, kind=trace.SpanKind.SERVER
        ) as span:

            def end(path: str, status: int) -> None:
                span.update_name(f"{method} {path}")
                span.set_attribute("http.request.method", method)
                span.set_attribute("http.route", path)
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_status(trace.StatusCode.ERROR)

            yield end

    return span_of
