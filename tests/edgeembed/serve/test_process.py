"""The command, in a process of its own: signals, sockets, several processes."""

import http.client
import json
import signal
import socket
import sys
import threading

import pytest

from helpers.live_server import process, read_all

if sys.platform == "win32":
    pytest.skip("signals and Unix sockets", allow_module_level=True)


class Client(threading.Thread):
    """Asks again and again on one connection until the server says that it closes."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.statuses, self.cut = port, [], None
        self.start()

    def run(self):
        body = json.dumps({"input": ["the cat sat on the mat"] * 8})
        headers = {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            while True:
                connection.request("POST", "/v1/embeddings", body, headers)
                response = connection.getresponse()
                response.read()
                self.statuses.append(response.status)
                if response.getheader("connection") == "close":
                    return
        except (OSError, http.client.HTTPException) as error:
            self.cut = error
        finally:
            connection.close()


def stopped_in_mid_load(*arguments):
    """Statuses and cut answers of eight clients of a server that gets SIGTERM; its exit code."""
    with process(*arguments) as (child, live):
        clients = [Client(live.port) for _ in range(8)]
        while not all(len(client.statuses) > 3 for client in clients):
            assert all(client.is_alive() for client in clients)
            clients[0].join(0.01)
        child.send_signal(signal.SIGTERM)
        code = child.wait(30)
        for client in clients:
            client.join(20)
    statuses = {status for client in clients for status in client.statuses}
    return statuses, [client.cut for client in clients if client.cut], code


@pytest.mark.slow
def test_sigterm_in_mid_load_cuts_no_answer(tiny_path):
    assert stopped_in_mid_load(str(tiny_path)) == ({200}, [], 0)


@pytest.mark.slow
def test_several_processes_answer_on_one_port_and_stop_as_well(tiny_path):
    assert stopped_in_mid_load(str(tiny_path), "--workers", "2") == ({200}, [], 0)


@pytest.mark.slow
def test_a_unix_socket_is_for_its_owner_and_goes_with_the_server(tiny_path, tmp_path):
    path = tmp_path / "serve.sock"
    with process(str(tiny_path), "--uds", str(path), ready=False) as (child, _):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_all(sock).startswith(b"HTTP/1.1 200")
        assert path.stat().st_mode & 0o007 == 0
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    assert not path.exists()
