"""A server that is sent what no client should send, and by clients that never finish, stays up."""

import contextlib
import resource
import select
import socket
import sys
import time

import pytest

from faults.http import raw
from faults.http.malformed import KINDS, cases

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]

SEED = 20
GROWS_BY_MB = 50
DESIGNED = {503, 504}
"""The only statuses of 500 and more."""
READ_S, IDLE_S, CONNECTIONS = 1.0, 2.0, 2048
GIGABYTE = 1 << 30


@pytest.fixture(scope="module")
def server(tiny_path, tmp_path_factory):
    """A server that has little patience, warmed up by what it will meet."""
    if not hasattr(resource, "RLIMIT_NOFILE"):
        pytest.skip("no limits of files")
    settings = {"read_timeout_s": READ_S, "idle_timeout_s": IDLE_S, "max_connections": CONNECTIONS}
    server = raw.start(tmp_path_factory.mktemp("served"), tiny_path, settings)
    try:
        for case in cases(len(KINDS), seed=0):
            server.statuses(case.data, half_close=case.half_close)
        yield server
    finally:
        code = server.stop()
    assert code == 0


@pytest.fixture(autouse=True)
def nothing_is_left(server):
    """Whatever is done, the server answers afterwards, and has kept neither memory nor files."""
    before = server.resident_mb()
    yield
    assert server.is_well()
    assert server.resident_mb() - before < GROWS_BY_MB
    until = time.monotonic() + 20
    while server.descriptors() > 60 and time.monotonic() < until:
        time.sleep(0.1)
    assert server.descriptors() <= 60


def test_malformed_requests_get_the_status_that_they_deserve(server, size, counts):
    assert size.requests > len(KINDS)  # each kind at least once
    for number, case in enumerate(cases(size.requests, SEED)):
        statuses = server.statuses(case.data, half_close=case.half_close)
        wrong = [status for status in statuses if status >= 500 and status not in DESIGNED]
        assert not wrong, (number, case.kind, statuses, case.data[:300])
        assert statuses[0] in case.right, (number, case.kind, statuses, case.data[:300])
        counts[f"malformed requests: {statuses[0] or 'connection closed'}"] += 1


def test_slow_clients_are_told_and_let_go_and_hold_up_nobody(server, size, counts):
    whole = raw.request()
    connections = [server.connect() for _ in range(size.slow_clients)]
    sent = {each: 1 + (7 * n) % (len(whole) - 50) for n, each in enumerate(connections)}
    for connection, count in sent.items():
        connection.sendall(whole[:count])
    until, told = time.monotonic() + 20 * READ_S, 0
    while sent and time.monotonic() < until:
        assert server.is_well()
        readable, _, _ = select.select(list(sent), [], [], 0.2)
        for connection in readable:
            told += connection.recv(1 << 16).startswith(b"HTTP/1.1 408")
            del sent[connection]
        for connection, count in sent.items():  # another byte does not help them
            with contextlib.suppress(OSError):
                sent[connection] += connection.send(whole[count : count + 1])
    for connection in connections:
        connection.close()
    assert not sent
    assert told == len(connections)
    counts["slow clients"] += told


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "in chunks"])
def test_a_body_of_a_gigabyte_is_refused_unread(server, counts, chunked):
    coding = (
        (b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"%d" % GIGABYTE)
    )
    piece = (b"10000\r\n" if chunked else b"") + b" " * 65536 + (b"\r\n" if chunked else b"")
    sent = 0
    with server.connect() as connection:
        connection.sendall(raw.request(headers=[coding], body=b""))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < GIGABYTE and not select.select([connection], [], [], 0)[0]:
                sent += connection.send(piece)
        answer = connection.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < 128 << 20  # read and forgotten, so that who sends it hears why, and buffers
    counts["bodies of a gigabyte"] += 1


def test_idle_connections_are_bounded_and_make_room_for_who_asks(server, size, counts):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(size.idle_connections, hard - 500)
    idle: list[socket.socket] = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):  # refused, which is well
                idle.append(server.connect())
            if len(idle) % 500 == 0:
                assert server.is_well()
        assert server.descriptors() <= CONNECTIONS + 60
        assert server.is_well()
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    counts["idle connections"] += count
