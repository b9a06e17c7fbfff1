"""The server as an ASGI application, put together from its settings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from edgeembed.serve.apis.registry import ENDPOINTS
from edgeembed.serve.base.jobs import Engine
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.engine.start import Running, running_engine, served_models
from edgeembed.serve.http.application import Application
from edgeembed.serve.http.bodies import Bodies
from edgeembed.serve.http.hosts import is_loopback
from edgeembed.serve.http.keys import Keys
from edgeembed.serve.http.logs import RequestLog
from edgeembed.serve.http.openapi import openapi
from edgeembed.serve.http.probes import document, probes
from edgeembed.serve.http.tracing import tracing
from edgeembed.serve.page.page import ENDPOINTS as PAGE

_MB = 1_000_000
# Of all bodies that are being answered.
_MOST_HELD = 256 * _MB


class State:
    """What the parts of an application tell each other."""

    def __init__(self) -> None:
        """Not running yet."""
        self.running: Running | None = None
        self.stopping = False

    def not_ready(self) -> str | None:
        """Why requests should go elsewhere; None if they need not."""
        if self.stopping:
            return "the server stops"
        if self.running is None or not self.running.ready:
            return "the first model is not loaded yet"
        return None


def create_app(settings: ServeSettings, state: State | None = None) -> Application:
    """The application; it loads models once its lifespan begins.

    Raises:
        BundleError, InputError: a bundle, or the file of keys, cannot be used.
        StorageError: the file of keys cannot be read.
        MissingExtraError: OpenTelemetry is wanted, and not installed.
    """
    state = state or State()
    models = served_models(settings)
    keys = None if settings.api_key_file is None else Keys.of_file(Path(settings.api_key_file))
    meters = Meters(CollectorRegistry())

    @asynccontextmanager
    async def start() -> AsyncGenerator[Engine]:
        async with running_engine(settings, models, meters) as running:
            state.running = running
            yield running.engine

    endpoints = [
        *ENDPOINTS,
        *PAGE,
        *probes(
            not_ready=state.not_ready,
            metrics=lambda: _metrics(meters, settings),
            metrics_need_key=settings.metrics_need_key,
        ),
    ]

    @cache
    def described() -> bytes:
        return openapi(endpoints, with_keys=keys is not None)

    return Application(
        [*endpoints, document(described)],
        start=start,
        keys=keys,
        bodies=Bodies(
            most=int(settings.max_body_mb * _MB),
            most_images=int(settings.max_image_body_mb * _MB),
            most_held=_MOST_HELD,
        ),
        meters=meters,
        log=RequestLog(settings.log_format),
        longest_s=max(settings.deadline_s, settings.bulk_deadline_s),
        trace=tracing() if settings.open_telemetry else None,
        any_host=keys is not None or settings.uds is not None or not is_loopback(settings.host),
    )


def _metrics(meters: Meters, settings: ServeSettings) -> bytes:
    if settings.workers == 1:
        return meters.text()
    everybody = CollectorRegistry()
    MultiProcessCollector(everybody)
    return Meters.text_of(everybody)
