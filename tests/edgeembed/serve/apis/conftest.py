"""A server of two small bundles and an index, for all tests of APIs."""

import contextlib
import socket
import threading
import time

import httpx2
import pytest
import uvicorn

from edgeembed.serve.app import create_app
from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.http.protocol import Connections, Limits, protocol_class
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.index.index import Index
from helpers import tiny_images

_START_S, _STOP_S = 60, 30


@contextlib.contextmanager
def running_server(**settings):
    """Serve in a thread within the block: yields the address, such as http://127.0.0.1:40123.

    Args:
        **settings: fields of ServeSettings.
    """
    chosen = ServeSettings(**settings)
    connections = Connections(
        Limits(
            connections=chosen.max_connections,
            idle_s=chosen.idle_timeout_s,
            read_s=chosen.read_timeout_s,
        )
    )
    config = uvicorn.Config(
        create_app(chosen),
        http=protocol_class(connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as bound:
        thread = threading.Thread(target=server.run, args=([bound],), name="server")
        thread.start()
        try:
            began = time.monotonic()
            while not server.started:
                if not thread.is_alive() or time.monotonic() > began + _START_S:
                    raise AssertionError("the server did not start")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_S)
            assert not thread.is_alive(), "the server did not stop"


@pytest.fixture(scope="session")
def pictures_path(tiny_path, tmp_path_factory):
    """A bundle for texts and pictures."""
    return tiny_images.write_dual_bundle(tmp_path_factory.mktemp("dual") / "pictures", tiny_path)


@pytest.fixture(scope="session")
def encoder(tiny_path):
    """What the served model `tiny` must agree with, bit for bit."""
    with Encoder.load(tiny_path) as made:
        yield made


@pytest.fixture(scope="session")
def pictures(pictures_path):
    """What the served model `pictures` must agree with."""
    with Encoder.load(pictures_path) as made:
        yield made


@pytest.fixture(scope="session")
def served(tiny_path, pictures_path, encoder, tmp_path_factory):
    """The address of a server of the models `tiny` and `pictures` and the index `notes`."""
    notes = tmp_path_factory.mktemp("served") / "notes"
    Index.create(notes, encoder=encoder).close()
    with running_server(
        models=(f"tiny={tiny_path}", f"pictures={pictures_path}"),
        indexes=(str(notes),),
        writable=True,
        max_inputs=100,
        max_text_characters=100_000,
        threads=1,
    ) as address:
        yield address


@pytest.fixture(scope="session")
def http(served):
    """A plain client of the server."""
    with httpx2.Client(base_url=served, timeout=30) as client:
        yield client
