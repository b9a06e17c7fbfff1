"""A real server in a thread of the test's process, so that what it runs is measured."""

import contextlib
import socket
import threading
import time

import uvicorn

from edgeembed.serve.app import create_app
from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.http.protocol import Connections, Limits, protocol_class

_START_S, _STOP_S = 60, 30


@contextlib.contextmanager
def running_server(**settings):
    """Serve within the block: yields the address, such as http://127.0.0.1:40123.

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
