"""Spans of OpenTelemetry."""

import sys

import pytest

from edgeembed.serve.http.tracing import tracing
from edgeembed_runtime.errors import MissingExtraError
from helpers.live_server import served

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_request_is_a_span_of_the_callers_trace(tiny_path):
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    with served(tiny_path, open_telemetry=True) as live:
        kept.clear()
        live.embed("a private text", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        live.request("GET", "/nothing")
    spans = {span.name: span for span in kept.get_finished_spans()}
    span = spans["POST /v1/embeddings"]
    assert format(span.context.trace_id, "032x") == TRACE
    assert span.attributes["http.response.status_code"] == 200
    assert "private" not in span.to_json()
    assert spans["GET other"].attributes["http.response.status_code"] == 404


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtraError, match="telemetry"):
        tracing()
