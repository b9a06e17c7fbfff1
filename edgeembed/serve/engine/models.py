"""The served models: loaded when asked for, unloaded when idle, within the memory of the server."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from edgeembed.serve.base.errors import UnavailableError, UnknownModelError
from edgeembed.serve.base.jobs import ServedModel
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.engine.model import Loaded, Model
from edgeembed_runtime.engine.memory import resident_bytes
from edgeembed_runtime.errors import EdgeEmbedError

_LOG = logging.getLogger("edgeembed.serve")
# A model that did not load is not tried again at once, by every request.
_RETRY_S = 5.0
_SWEEP_S = 1.0


class Models:
    """Models by name, the default first. Only the event loop uses it."""

    def __init__(
        self,
        models: Sequence[Model],
        *,
        meters: Meters,
        any_name: bool,
        idle_s: float,
        max_memory: int,
    ) -> None:
        """Loads none yet.

        Args:
            models: what is served.
            meters: where loads are counted.
            any_name: whether the only model answers to every name.
            idle_s: unload after so many seconds without work; 0 for never.
            max_memory: of the process, in bytes, over which idle models are unloaded; 0 for none.
        """
        self._by_name: Mapping[str, Model] = {model.name: model for model in models}
        self.default: Model = models[0]
        self._any_name = any_name and len(models) == 1
        self._idle_s = idle_s
        self._max_memory = max_memory
        self._meters = meters
        # One load at a time: each takes the memory of several.
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="serve-load")
        self._turn = asyncio.Lock()
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, tuple[float, EdgeEmbedError]] = {}

    def named(self, name: str | None) -> Model:
        """The model of a name; the default for None.

        Raises:
            UnknownModelError: there is none.
        """
        if name is None or self._any_name:
            return self.default
        model = self._by_name.get(name)
        if model is None:
            known = ", ".join(self._by_name)
            raise UnknownModelError(f"model: expected {known}, got {name!r:.100}")
        return model

    def of_space(self, space: str) -> Model | None:
        """A model whose vectors are of a space."""
        return next((m for m in self._by_name.values() if m.manifest.space == space), None)

    def described(self) -> Sequence[ServedModel]:
        """What is known of each."""
        return [model.described() for model in self._by_name.values()]

    async def lease(self, model: Model) -> "Lease":
        """Load a model if it is not, and keep it loaded until the lease ends.

        Raises:
            UnavailableError: it does not load.
        """
        lease = Lease(model)
        if model.loaded is None:
            try:
                # Who asked first may go away; the others still wait for it.
                await asyncio.shield(self._load(model))
            except BaseException:
                lease.end()
                raise
        return lease

    def _load(self, model: Model) -> "asyncio.Task[None]":
        """The one task that loads a model."""
        task = self._loads.get(model.name)
        if task is None:
            task = asyncio.create_task(self._load_in_turn(model))
            self._loads[model.name] = task
            task.add_done_callback(lambda done: self._loads.pop(model.name) and done.exception())
        return task

    async def _load_in_turn(self, model: Model) -> None:
        when, known = self._failed.get(model.name, (0.0, None))
        if known is not None and time.monotonic() - when < _RETRY_S:
            raise _not_loaded(model, known) from known
        async with self._turn:
            self._make_room(model)
            loop = asyncio.get_running_loop()
            try:
                model.loaded = await loop.run_in_executor(self._loader, model.load, self._meters)
            except EdgeEmbedError as error:
                self._failed[model.name] = (time.monotonic(), error)
                _LOG.error("model %s: %s", model.name, error)
                raise _not_loaded(model, error) from error
        self._failed.pop(model.name, None)
        self._count()
        _LOG.info("model %s: loaded", model.name)

    def _make_room(self, model: Model) -> None:
        """Unload idle models until there is memory for another.

        Raises:
            UnavailableError: there is not enough.
        """
        if not self._max_memory:
            return
        while (found := resident_bytes()) + model.memory > self._max_memory:
            if not self._unload_oldest():
                raise UnavailableError(
                    f"model {model.name}: expected {model.memory >> 20} MB for it within "
                    f"{self._max_memory >> 20} MB, of which {found >> 20} MB are taken; try again "
                    "when other models are idle, or raise max_memory_mb"
                )

    def _unload_oldest(self) -> bool:
        idle = [m for m in self._by_name.values() if m.loaded is not None and not m.users]
        if not idle:
            return False
        self._unload(min(idle, key=lambda model: model.used))
        return True

    def _unload(self, model: Model) -> None:
        assert model.loaded is not None
        encoder = model.loaded.encoder
        model.loaded = None
        encoder.close()
        self._count()
        _LOG.info("model %s: unloaded", model.name)

    def _count(self) -> None:
        loaded = sum(model.loaded is not None for model in self._by_name.values())
        self._meters.models_loaded.set(loaded)

    async def sweep(self) -> None:
        """Unload what is idle, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            for model in self._by_name.values():
                idle = model.loaded is not None and not model.users
                if self._idle_s and idle and now - model.used > self._idle_s:
                    self._unload(model)
            if self._max_memory and resident_bytes() > self._max_memory:
                self._unload_oldest()

    def close(self) -> None:
        """Unload all."""
        self._loader.shutdown()
        for model in self._by_name.values():
            if model.loaded is not None:
                self._unload(model)


def _not_loaded(model: Model, error: EdgeEmbedError) -> UnavailableError:
    return UnavailableError(f"model {model.name}: it does not load: {error}")


class Lease:
    """Keeps a model loaded, by `with`."""

    __slots__ = ("model",)

    def __init__(self, model: Model) -> None:
        """Begin."""
        self.model: Model = model
        model.users += 1

    @property
    def loaded(self) -> Loaded:
        """What runs the model's inputs."""
        assert self.model.loaded is not None
        return self.model.loaded

    def end(self) -> None:
        """End; the model may be unloaded."""
        self.model.users -= 1
        self.model.used = time.monotonic()

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
