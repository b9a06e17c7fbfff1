"""Several models: by name, loaded when asked for, unloaded when idle, within the memory."""

import asyncio
import contextlib

import pytest
from prometheus_client import CollectorRegistry

from edgeembed.serve.base.errors import UnavailableError, UnknownModelError
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.engine import models as models_module
from edgeembed.serve.engine.model import Model
from edgeembed.serve.engine.models import Models
from edgeembed_runtime.encoder.load import LoadOptions
from edgeembed_runtime.errors import BundleNotFoundError
from helpers import tiny_bundle
from helpers.live_server import served


def models_of(*paths, any_name=True, idle_s=0.0, max_memory=0):
    named = [Model(f"m{n}", path, LoadOptions(threads=1)) for n, path in enumerate(paths)]
    meters = Meters(CollectorRegistry())
    return Models(named, meters=meters, any_name=any_name, idle_s=idle_s, max_memory=max_memory)


@contextlib.asynccontextmanager
async def sweeping(models):
    task = asyncio.create_task(models.sweep())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        models.close()


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def test_one_model_answers_to_every_name_and_several_to_their_own(tiny_path):
    async def use():
        one = models_of(tiny_path)
        assert one.named("text-embedding-3-small") is one.default is one.named(None)
        several = models_of(tiny_path, tiny_path)
        assert several.named("m1").name == "m1"
        with pytest.raises(UnknownModelError, match="m0, m1"):
            several.named("text-embedding-3-small")
        with pytest.raises(UnknownModelError, match="m0"):
            models_of(tiny_path, any_name=False).named("other")

    asyncio.run(use())


def test_a_model_is_loaded_once_for_all_who_ask_and_unloaded_when_idle(tiny_path, monkeypatch):
    monkeypatch.setattr(models_module, "_SWEEP_S", 0.01)
    loads, load = [], Model.load

    def noted(self, meters):
        loads.append(self.name)
        return load(self, meters)

    monkeypatch.setattr(Model, "load", noted)

    async def use():
        models = models_of(tiny_path, idle_s=0.05)
        async with sweeping(models):
            leases = await asyncio.gather(*(models.lease(models.default) for _ in range(8)))
            assert loads == ["m0"]
            await asyncio.sleep(0.2)
            assert models.described()[0].loaded  # it is in use
            for lease in leases:
                lease.end()
            await until(lambda: not models.described()[0].loaded)
            with await models.lease(models.default):
                assert loads == ["m0", "m0"]

    asyncio.run(use())


def test_an_idle_model_makes_room_for_another_and_one_in_use_does_not(tiny_path, monkeypatch):
    loaded = []
    # The process takes 100 MB, and 10 MB for each model.
    monkeypatch.setattr(models_module, "resident_bytes", lambda: 100 + 10 * len(loaded))
    monkeypatch.setattr(Model, "memory", 10)

    async def use():
        models = models_of(tiny_path, tiny_path, max_memory=115)
        first, second = models.named("m0"), models.named("m1")

        def count():
            loaded[:] = [each for each in models.described() if each.loaded]

        lease = await models.lease(first)
        count()
        with pytest.raises(UnavailableError, match="expected 0 MB for it within"):
            await models.lease(second)
        lease.end()
        monkeypatch.setattr(
            models_module,
            "resident_bytes",
            lambda: 100 + 10 * sum(each.loaded for each in models.described()),
        )
        with await models.lease(second):
            assert [each.loaded for each in models.described()] == [False, True]
        models.close()

    asyncio.run(use())


def test_who_gives_up_while_a_model_loads_leaves_it_to_the_others(tiny_path):
    async def use():
        models = models_of(tiny_path)
        gone = asyncio.create_task(models.lease(models.default))
        stays = asyncio.create_task(models.lease(models.default))
        await asyncio.sleep(0)
        gone.cancel()
        (await stays).end()
        assert models.default.users == 0
        assert models.default.loaded is not None
        models.close()

    asyncio.run(use())


def test_a_model_that_does_not_load_is_503_and_the_server_stays_up(tiny_path, tmp_path):
    damaged = tiny_bundle.copy_bundle(tiny_path, tmp_path / "damaged")
    for name in ("fp32.onnx", "int8.onnx"):
        data = bytearray((damaged / name).read_bytes())
        data[len(data) // 2] ^= 1
        (damaged / name).write_bytes(data)
    with served(tiny_path, f"bad={damaged}") as live:
        for _ in range(2):
            answer = live.embed("the cat", model="bad")
            assert answer.status == 503
            assert answer.json["error"]["type"] == "unavailable_error"
            assert "it does not load" in answer.json["message"]
        assert live.embed("the cat", model="tiny").status == 200
        assert live.embed("the cat", model="none").status == 404


def test_a_server_whose_first_model_does_not_load_lives_and_is_not_ready(tiny_path, tmp_path):
    damaged = tiny_bundle.copy_bundle(tiny_path, tmp_path / "damaged")
    tiny_bundle.put_file(damaged, "tokenizer.json", b"{}")
    with served(damaged, ready=False) as live:
        assert live.embed("the cat").status == 503
        assert live.request("GET", "/ready").status == 503
        assert live.request("GET", "/live").status == 200


def test_a_server_of_no_bundle_does_not_start(tmp_path):
    with pytest.raises(BundleNotFoundError), served(tmp_path / "none", ready=False):
        pass
