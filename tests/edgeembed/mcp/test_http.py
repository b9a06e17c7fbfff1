"""An assistant's calls over streamable HTTP, by the SDK's own client."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import anyio
import pytest
from mcp.client.client import Client


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def served(*paths):
    """The port of a server in a process of its own, which is ended as Ctrl-C does."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgeembed", "mcp", *map(str, paths), "--http", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        output, problems = process.communicate(timeout=30)
    assert output == ""
    assert "Traceback" not in problems, problems


@pytest.fixture
def path(run, tmp_path, tiny_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/cat.py").write_text("def cat():\n    return 'the cat sat on a mat'\n")
    result = run("index", "repo", "--model", tiny_path, "-i", "code")
    assert result.exit_code == 0, result.stderr
    return tmp_path / "code"


@pytest.mark.slow
def test_an_assistant_asks_over_http_and_ctrl_c_ends_the_server(path):
    async def ask(port):
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            found = await client.call_tool("search", {"query": "the cat"})
            (first, *_) = found.structured_content["result"]
            read = await client.call_tool("read_passage", {"place": first["place"]})
            twins = await client.call_tool("find_similar", {"place": "repo/dog.py:1"})
            return first, read, twins

    with served(path) as port:
        first, read, twins = anyio.run(ask, port)
    assert (first["place"], first["symbol"]) == ("repo/cat.py:1", "cat")
    assert "the cat sat on a mat" in read.structured_content["text"]
    assert twins.is_error


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example:80"}, {"Host": "127.0.0.1:1", "Origin": "http://evil.example"}],
    ids=["host", "origin"],
)
def test_a_page_from_elsewhere_cannot_ask(path, headers):
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    accept = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    with served(path) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/mcp", body, {**accept, **headers})
        answer = connection.getresponse()
        assert answer.status in (403, 421)
        assert b"search" not in answer.read()
        connection.close()
