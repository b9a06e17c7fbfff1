"""A request as bytes, what a raw socket meets with it, and the server that it meets."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KEY = "correct-horse-battery-staple"
GOOD_BODY = json.dumps({"input": "red apple"}).encode()
STARTS_WITHIN_S, ANSWERS_WITHIN_S = 60, 20
CUT = 0
"""The status of a connection that was closed without an answer."""


def request(
    *,
    line: bytes = b"POST /v1/embeddings HTTP/1.1",
    headers: Sequence[tuple[bytes, bytes]] = (),
    body: bytes = GOOD_BODY,
    key: str | None = KEY,
    host: bool = True,
    length: bytes | None = None,
    media_type: bytes | None = b"application/json",
) -> bytes:
    """A whole request, right in all that is not given."""
    lines = [line]
    if host:
        lines.append(b"Host: localhost")
    if key is not None:
        lines.append(b"Authorization: Bearer " + key.encode())
    if media_type is not None:
        lines.append(b"Content-Type: " + media_type)
    chosen = [name.lower() for name, _ in headers]
    if b"transfer-encoding" not in chosen and b"content-length" not in chosen:
        lines.append(b"Content-Length: " + (b"%d" % len(body) if length is None else length))
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWERS_WITHIN_S)

    def statuses(self, data: bytes, *, half_close: bool = False) -> list[int]:
        """Send bytes on a connection of their own; the status of every answer.

        The server may answer, and close, before it has read everything.
        """
        with self.connect() as connection:
            answered = _exchange(connection, data, half_close)
        return [int(line.split()[1]) for line in _status_lines(answered)] or [CUT]

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def is_well(self) -> bool:
        """Whether a good request is answered."""
        return self.statuses(request(headers=[(b"Connection", b"close")])) == [200]

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def start(folder: Path, bundle: Path, settings: Mapping[str, object]) -> Server:
    """A server of a bundle that asks for KEY, ready; its log is in the folder."""
    variables = {f"EDGEEMBED_SERVE_{name.upper()}": str(value) for name, value in settings.items()}
    keys = folder / "keys"
    keys.write_text(f"tester {KEY}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "edgeembed", "serve", str(bundle)),
                *("--port", str(port), "--api-key-file", str(keys)),
            ],
            env={**os.environ, **variables},
            stdout=log,
            stderr=log,
        )
    server = Server(process=process, port=port)
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if server.is_well():
                return server
        except OSError:
            pass
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError((folder / "log").read_text(errors="replace"))


def _exchange(connection: socket.socket, data: bytes, half_close: bool) -> bytes:
    """What came back until the server closed, or had answered every request that there is."""
    connection.setblocking(False)
    rest, answered, until = memoryview(data), b"", time.monotonic() + ANSWERS_WITHIN_S
    expected = max(1, data.count(b" HTTP/1.1\r\n"))
    while time.monotonic() < until:
        readable, writable, _ = select.select([connection], [connection] if rest else [], [], 0.2)
        try:
            if readable:
                piece = connection.recv(1 << 16)
                answered += piece
                if not piece:
                    return answered
            if writable:
                rest = rest[connection.send(rest[: 1 << 16]) :]
                if not rest and half_close:
                    connection.shutdown(socket.SHUT_WR)
        except (ConnectionResetError, BrokenPipeError):
            return answered
        found = len(_status_lines(answered))
        if not rest and found and (found >= expected or not readable):
            return answered
    raise AssertionError(f"no answer to {bytes(data[:200])!r} in {ANSWERS_WITHIN_S} s")


def _status_lines(answered: bytes) -> list[bytes]:
    """The status line of each whole answer, by the lengths that the answers give."""
    found = []
    while True:
        head, ended, rest = answered.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = _length(lines[1:])
        if not ended or len(rest) < length:
            return found
        found.append(lines[0])
        answered = rest[length:]


def _length(headers: Sequence[bytes]) -> int:
    """Of an answer's body; 0 for one of 100, which has none."""
    for line in headers:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
