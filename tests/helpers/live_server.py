"""A real server on a free port, in a thread of this process, and raw requests to it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection

from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.run import Server


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Live:
    """A server's port, and requests to it."""

    port: int

    def request(self, method, path, body=None, headers=None, timeout=20):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=names, body=response.read())

    def post(self, path, tree, headers=None):
        body = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        return self.request(
            "POST", path, body, {"Content-Type": "application/json", **(headers or {})}
        )

    def embed(self, texts, headers=None, **fields):
        return self.post("/v1/embeddings", {"input": texts, **fields}, headers)

    def open(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def raw(self, *parts, pause=0.0):
        """Everything that comes back for some bytes, until the server closes or says no more."""
        with self.open() as sock:
            for part in parts:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(part)
                if pause:
                    time.sleep(pause)
            return read_all(sock)

    def wait_until_ready(self):
        for _ in range(600):
            with contextlib.suppress(OSError):
                if self.request("GET", "/ready").status == 200:
                    return self
            time.sleep(0.02)
        raise AssertionError("the server did not become ready")


def read_all(sock):
    found = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(1 << 16):
            found += data
    return found


@contextlib.contextmanager
def served(*models, ready=True, **settings):
    """A server of these bundles in a thread; stopped at the end."""
    given = {"threads": 2, "log_format": "none", **settings}
    given["models"] = tuple(str(model) for model in models)
    server = Server(ServeSettings(**given))
    bound = socket.create_server(("127.0.0.1", 0), backlog=512)
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    live = Live(port=bound.getsockname()[1])
    try:
        if ready:
            live.wait_until_ready()
        yield live
    finally:
        server.should_exit = True
        thread.join(30)
        bound.close()
        assert not thread.is_alive()


@contextlib.contextmanager
def process(*arguments, ready=True):
    """`edgeembed serve` in a process of its own: the process, its port."""
    environment = {name: text for name, text in os.environ.items() if "EDGEEMBED_" not in name}
    command = [sys.executable, "-m", "edgeembed", "serve", "--json", "--port", "0", *arguments]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    try:
        line = json.loads(child.stderr.readline())
        drain = threading.Thread(target=child.stderr.read, daemon=True)
        drain.start()
        where = line["message"].rpartition(":")[2]
        yield child, Live(port=int(where)).wait_until_ready() if ready else None
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
        child.wait()
        drain.join()
        child.stderr.close()
