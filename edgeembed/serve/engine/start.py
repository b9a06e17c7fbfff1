"""Puts the engine together from the settings, and takes it apart again."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from edgeembed.serve.base.jobs import Lane
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.engine.engine import ServeEngine
from edgeembed.serve.engine.indexes import Indexes, Mounted
from edgeembed.serve.engine.model import Model
from edgeembed.serve.engine.models import Models
from edgeembed.serve.engine.queue import WorkQueue
from edgeembed.serve.engine.workers import Workers
from edgeembed_runtime.bundle.packaged import bundle_directory
from edgeembed_runtime.encoder.load import LoadOptions
from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.engine.memory import resident_bytes
from edgeembed_runtime.errors import EdgeEmbedError, InputError

_LOG = logging.getLogger("edgeembed.serve")
# Threads beside a GPU: one tokenizes while the other's batch runs.
_GPU_THREADS = 2
_MEASURE_S = 5.0


class Running:
    """A running engine, and whether it is ready."""

    def __init__(self, engine: ServeEngine, meters: Meters) -> None:
        """Not ready yet."""
        self.engine = engine
        self.meters = meters
        self.ready = False
        self.stopping = False


def served_models(settings: ServeSettings) -> list[Model]:
    """The models of the settings, none of them loaded.

    Raises:
        BundleError, InputError: a bundle cannot be used, or two have one name.
    """
    threads = _threads(settings)
    options = LoadOptions(
        variant=settings.variant,
        providers=None if settings.device == "cpu" else (settings.device,),
        threads=threads if settings.device == "cpu" else None,
        profile="throughput" if settings.max_memory_mb else "balanced",
    )
    models = [
        Model(*_named(each, of_bundle=True), options) for each in settings.models or ("default",)
    ]
    _check_names([model.name for model in models], "models")
    return models


@asynccontextmanager
async def running_engine(
    settings: ServeSettings, models: Sequence[Model], meters: Meters
) -> AsyncGenerator[Running]:
    """An engine that runs within the block; it is ready once the first model is warm."""
    threads = _threads(settings)
    served = Models(
        models,
        meters=meters,
        any_name=settings.any_model,
        idle_s=settings.idle_unload_s,
        max_memory=settings.max_memory_mb << 20,
    )
    indexes = Indexes(
        [
            Mounted(*_named(each, of_bundle=False), served, writable=settings.writable)
            for each in settings.indexes
        ]
    )
    bounds: Mapping[Lane, float] = {"interactive": settings.queue_s, "bulk": settings.bulk_queue_s}
    queue = WorkQueue(threads=threads, bounds=bounds)
    workers = Workers(queue, threads, meters)
    running = Running(ServeEngine(settings, served, indexes, queue, meters), meters)
    tasks = [
        asyncio.create_task(served.sweep()),
        asyncio.create_task(_measure(queue, meters)),
        asyncio.create_task(_warm_up(running, served, warm=settings.warm_up)),
    ]
    try:
        yield running
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(workers.close)
        await asyncio.to_thread(indexes.close)
        served.close()


async def _warm_up(running: Running, models: Models, *, warm: bool) -> None:
    try:
        if warm:
            with await models.lease(models.default):
                pass
        # What is there now stays: collections need not look through it again and again.
        gc.collect()
        gc.freeze()
        running.ready = True
    except EdgeEmbedError as error:
        _LOG.error("the server is not ready: %s", error)


async def _measure(queue: WorkQueue, meters: Meters) -> None:
    while True:
        meters.memory_bytes.set(resident_bytes())
        for lane in ("interactive", "bulk"):
            meters.waiting_seconds.labels(lane=lane).set(queue.waiting_seconds(lane))
        await asyncio.sleep(_MEASURE_S)


def _threads(settings: ServeSettings) -> int:
    if settings.device != "cpu":
        return _GPU_THREADS
    return settings.threads or max(1, available_cpus() // settings.workers)


def _named(text: str, *, of_bundle: bool) -> tuple[str, Path]:
    """The name and the path of "NAME=PATH", or of a path alone."""
    name, equals, path = text.rpartition("=")
    directory = bundle_directory(path) if of_bundle else Path(path)
    name = name if equals else directory.resolve().name
    if not name or not path:
        raise InputError(f"models, indexes: expected PATH or NAME=PATH, got {text!r:.200}")
    return name.removesuffix(".bundle").removesuffix(".index"), directory


def _check_names(names: Sequence[str], what: str) -> None:
    twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if twice is not None:
        raise InputError(f"{what}: expected each name once, got {twice!r} twice; use NAME=PATH")
