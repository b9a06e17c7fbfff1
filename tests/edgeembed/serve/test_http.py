"""What the server answers, bit for bit, and every malformed request by its status."""

import base64
import contextlib
import gzip
import json
import random
import threading
import time

import numpy as np
import pytest

from helpers.live_server import read_all, served

TEXTS = ["the cat sat on the mat", "", "a train leaves the station at noon", "Straße, 東京"]
HEAD = b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\n"
BODY = b'{"input": "the cat"}'
JSON = b"Content-Type: application/json\r\n"


def post(body, *headers, length=None):
    lines = b"".join(headers) + JSON
    size = len(body) if length is None else length
    return HEAD + lines + b"Content-Length: %d\r\n\r\n" % size + body


def status_of(answer):
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None


def vectors_of(answer):
    assert answer.status == 200, answer.body
    return [each["embedding"] for each in answer.json["data"]]


@pytest.mark.parametrize("dimensions", [None, 8])
def test_vectors_are_the_bytes_that_the_encoder_gives(server, tiny_encoder, dimensions):
    expected = tiny_encoder.encode(TEXTS, truncate_dim=dimensions)
    fields = {} if dimensions is None else {"dimensions": dimensions}
    encoded = vectors_of(server.embed(TEXTS, encoding_format="base64", **fields))
    assert b"".join(map(base64.b64decode, encoded)) == expected.tobytes()
    floats = np.array(vectors_of(server.embed(TEXTS, **fields)), np.float32)
    assert floats.tobytes() == expected.tobytes()
    one = vectors_of(server.embed(TEXTS[0], encoding_format="base64", **fields))
    alone = tiny_encoder.encode(TEXTS[0], truncate_dim=dimensions)
    assert base64.b64decode(one[0]) == alone.tobytes()


def test_usage_counts_the_tokens_that_were_read(server, tiny_encoder):
    usage = server.embed(TEXTS).json["usage"]
    assert usage["prompt_tokens"] == sum(tiny_encoder.count_tokens(TEXTS))


def test_many_clients_at_once_get_their_own_vectors(server, tiny_encoder):
    texts = [f"the cat number {n} sat" for n in range(32)]
    found = {}

    def ask(text):
        found[text] = base64.b64decode(vectors_of(server.embed(text, encoding_format="base64"))[0])

    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = tiny_encoder.encode(texts)
    assert [found[text] for text in texts] == [row.tobytes() for row in expected]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"GET /v1/embeddings HTTP/1.1\r\nHost: x\r\n\r\n", 405, id="wrong method"),
        pytest.param(b"BREW /v1/embeddings HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="no method"),
        pytest.param(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="no path"),
        pytest.param(HEAD + JSON + b"\r\n", 411, id="no length"),
        pytest.param(
            HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415, id="text"
        ),
        pytest.param(HEAD + b"Content-Length: 20\r\n\r\n" + BODY, 415, id="no type"),
        pytest.param(post(b"{"), 400, id="half of JSON"),
        pytest.param(post(b""), 400, id="empty"),
        pytest.param(post(b'{"input": "a", "input": "b"}'), 400, id="a key twice"),
        pytest.param(post(b'{"input": NaN}'), 400, id="NaN"),
        pytest.param(post(b'{"input": "a", "user": ' + b"9" * 10_000 + b"}"), 400, id="digits"),
        pytest.param(post(b'{"input": "a", "dimensions": Infinity}'), 400, id="infinity"),
        pytest.param(post(b'{"input": "a", "dimensions": 1e999}'), 400, id="a large number"),
        pytest.param(post(b"[" * 100_000), 400, id="deep"),
        pytest.param(post(b'{"user":' + b"[" * 100_000), 400, id="deep in a field"),
        pytest.param(post(b'{"input": "\xff\xfe"}'), 400, id="not UTF-8"),
        pytest.param(post(b'{"input": "\\ud800"}'), 400, id="a lone surrogate"),
        pytest.param(post(b'{"input": []}'), 400, id="no texts"),
        pytest.param(post(b'{"input": {"a": 1}}'), 400, id="an object"),
        pytest.param(post(b'{"input": "a", "dimensions": 17}'), 400, id="too many dimensions"),
        pytest.param(post(b'{"input": "a", "dimensions": -1}'), 400, id="negative dimensions"),
        pytest.param(post(json.dumps({"input": ["a"] * 65}).encode()), 413, id="many texts"),
        pytest.param(post(json.dumps({"input": "a" * 50_001}).encode()), 413, id="a long text"),
        pytest.param(post(b'{"input": "' + b"a" * 200_000 + b'"}'), 413, id="a large body"),
        pytest.param(post(b"", length=1 << 40), 413, id="a length without a body"),
        pytest.param(post(b"", length=-1), 400, id="a negative length"),
        pytest.param(post(b"", length=1 << 63), 413, id="a length of 2^63"),
        pytest.param(post(b"", length=1 << 64), 400, id="a length of 2^64"),
        pytest.param(
            post(gzip.compress(b"0" * 1_000_000), b"Content-Encoding: gzip\r\n"), 415, id="gzip"
        ),
        pytest.param(post(b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"), 400, id="two lengths"),
        pytest.param(
            HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400, id="no chunk"
        ),
        pytest.param(HEAD + b"a: b\r\n" * 100_000 + b"\r\n", 431, id="10^5 headers"),
        pytest.param(HEAD + b"a: " + b"b" * 1_000_000 + b"\r\n\r\n", 431, id="1 MB header"),
        pytest.param(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431, id="a long path"),
        pytest.param(b"GET /live\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", 400, id="TLS"),
        pytest.param(b"\x00" * 100, 400, id="zeros"),
        pytest.param(post(BODY, b"x-deadline-ms: soon\r\n"), 400, id="no deadline"),
        pytest.param(post(BODY, b"x-lane: fast\r\n"), 400, id="no lane"),
        pytest.param(
            b"GET http://elsewhere/live HTTP/1.1\r\nHost: x\r\n\r\n", 200, id="absolute form"
        ),
        pytest.param(b"HEAD /live HTTP/1.1\r\nHost: x\r\n\r\n", 200, id="HEAD"),
        pytest.param(
            HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n14\r\n" + BODY + b"\r\n0\r\n\r\n",
            200,
            id="chunked",
        ),
    ],
)
def test_every_malformed_request_gets_its_status(server, request_bytes, status):
    with server.open() as sock:
        with contextlib.suppress(ConnectionError):  # refused before it was whole
            sock.sendall(request_bytes)
        sock.settimeout(5)
        assert status_of(sock.recv(1 << 16)) == status
    assert server.request("GET", "/live").status == 200


def test_errors_name_the_field_in_the_words_of_every_client(server):
    answer = server.post("/v1/embeddings", {"input": "a", "dimensions": 99})
    error = answer.json["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == "dimensions"
    assert answer.json["detail"] == answer.json["message"] == error["message"]
    assert "1 to 16" in error["message"]


def test_a_request_id_comes_back_and_one_is_made_where_there_is_none(server):
    mine = server.request("GET", "/live", headers={"X-Request-Id": "mine-1.2"})
    assert mine.headers["x-request-id"] == "mine-1.2"
    other = server.request("GET", "/live", headers={"X-Request-Id": "not one"})
    assert len(other.headers["x-request-id"]) == 16


def test_pipelined_requests_are_answered_in_order(server):
    first = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    found = server.raw(post(BODY) + first + last)
    statuses = [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 200]


def test_a_body_that_waits_for_its_leave_is_asked_for(server):
    with server.open() as sock:
        sock.sendall(post(b"", b"Expect: 100-continue\r\n", length=len(BODY)))
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 100")
        sock.sendall(BODY)
        assert status_of(sock.recv(1 << 16)) == 200


def test_random_bytes_and_cut_requests_get_no_5xx_and_leave_the_server_alive(server):
    rng = random.Random(20)
    whole = post(BODY)
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with server.open() as sock:
            sock.sendall(bytes(data[: rng.randint(1, len(data))]))
            sock.shutdown(1)
            assert (status_of(read_all(sock)) or 0) < 500
    assert server.embed("still there").status == 200


@pytest.fixture(scope="module")
def hasty(tiny_path):
    with served(tiny_path, read_timeout_s=0.3, idle_timeout_s=0.6, max_connections=8) as live:
        yield live


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD, id="half of a head"),
        pytest.param(post(b'{"inp', length=50), id="half of a body"),
        pytest.param(
            HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", id="half of a chunk"
        ),
    ],
)
def test_who_is_slow_gets_408_and_is_cut(hasty, part):
    with hasty.open() as sock:
        sock.sendall(part)
        assert status_of(read_all(sock)) == 408


def test_an_idle_connection_is_closed_without_a_word(hasty):
    with hasty.open() as sock:
        sock.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_all(sock).count(b"HTTP/1.1") == 1


def test_idle_connections_make_room_and_there_are_never_too_many(hasty):
    socks = [hasty.open() for _ in range(40)]
    try:
        assert hasty.embed("the cat").status == 200
        text = hasty.request("GET", "/metrics").body.decode()
        assert "edgeembed_requests_total" in text
    finally:
        for sock in socks:
            sock.close()


def test_metrics_tell_of_requests_tokens_and_memory(server):
    server.embed("the cat sat")
    text = server.request("GET", "/metrics").body.decode()
    assert 'edgeembed_requests_total{path="/v1/embeddings",status="200"}' in text
    for name in ("queue_seconds_count", "tokenize_seconds_count", "run_seconds_count"):
        assert f"edgeembed_{name}" in text
    assert 'edgeembed_tokens_total{model="tiny"}' in text
    assert "edgeembed_resident_memory_bytes" in text


def test_the_openapi_document_describes_every_path(server):
    document = server.request("GET", "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    body = document["paths"]["/v1/embeddings"]["post"]["requestBody"]
    assert "$ref" in body["content"]["application/json"]["schema"]
    assert "/ready" in document["paths"]


def test_a_server_is_not_ready_before_its_model_is(tiny_path, gate):
    del gate
    with served(tiny_path, ready=False, warm_up=False) as live:
        for _ in range(200):
            if live.request("GET", "/ready").status == 200:
                break
            time.sleep(0.01)
        assert live.request("GET", "/live").status == 200


def test_a_number_of_many_digits_in_an_unknown_field_is_no_fault_of_the_server(server):
    body = b'{"input": "a", "x": ' + b"9" * 10_000 + b', "y": 1e99999}'
    assert server.post("/v1/embeddings", body).status == 200


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"input": "\\ud800"}', "half a character"),
        (b'{"input": "a", "\\udfff": 1}', "half a character"),
        (b" ", "nothing"),
        (b'{"input": [["a"]]}', "expected str"),
        (b'{"input": ["a", null]}', "expected str"),
        (b'{"input": [[1, 2]]}', "token ids"),
        (b'{"input": [1, 2]}', "token ids"),
    ],
)
def test_the_reason_of_a_refusal_is_the_true_one(server, body, why):
    answer = server.post("/v1/embeddings", body)
    assert answer.status == 400
    assert why in answer.json["error"]["message"]
    assert ("token ids" in answer.json["error"]["message"]) == (why == "token ids")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("edgeembed", 200),
        ("host.docker.internal:8000", 200),
        ("evil.example", 403),
        ("localhost.evil.example:80", 403),
        ("127.0.0.1.nip.example", 403),
        ("a@localhost", 200),
        ("[", 403),
    ],
)
def test_a_page_that_has_its_name_point_here_reads_nothing(server, host, status):
    answer = server.request("GET", "/v1/models", headers={"Host": host})
    assert answer.status == status
    if status == 403:
        assert b"host: expected localhost" in answer.body
