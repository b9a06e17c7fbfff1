"""Requests that are wrong, by kind: their bytes, and the statuses that are right answers."""

import gzip
import json
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from faults.http.raw import CUT, GOOD_BODY, KEY, request

# What a request may deserve that no table can foresee.
CLIENT_ERRORS = frozenset(
    {400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 417, 422, 426, 431}
)
PATHS = (b"/v1/embeddings", b"/v2/embed", b"/v1/rerank", b"/api/embed", b"/embed", b"/search")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wrong request."""

    kind: str
    data: bytes
    right: Collection[int]
    half_close: bool = False


Maker = Callable[[random.Random], tuple[bytes, Collection[int]]]
KINDS: dict[str, Maker] = {}


def kind(maker: Maker) -> Maker:
    KINDS[maker.__name__] = maker
    return maker


def cases(count: int, seed: int) -> Iterator[Case]:
    """So many cases: each kind in turn, filled in at random."""
    rng, names = random.Random(seed), list(KINDS)
    for number in range(count):
        name = names[number % len(names)]
        data, right = KINDS[name](rng)
        yield Case(kind=name, data=data, right=right, half_close=name.endswith("_half_closed"))


# ---- keys
@kind
def no_key(rng):
    return request(key=None), {401}


@kind
def wrong_key(rng):
    wrong = rng.choice([KEY[:-1], KEY + "x", KEY.upper(), "", " ", "x" * 5000])
    return request(key=wrong), {401}


@kind
def key_in_the_url(rng):
    return request(line=b"POST /v1/embeddings?api_key=" + KEY.encode() + b" HTTP/1.1", key=None), {
        401
    }


@kind
def key_of_bytes_that_are_no_text(rng):
    return request(key=None, headers=[(b"Authorization", b"Bearer " + noise(rng, 20))]), {400, 401}


@kind
def other_scheme(rng):
    return request(key=None, headers=[(b"Authorization", b"Basic eDp5")]), {401}


# ---- methods, paths, targets
@kind
def wrong_method(rng):
    method = rng.choice([b"PUT", b"DELETE", b"PATCH", b"GET", b"OPTIONS", b"TRACE"])
    return request(line=method + b" /v1/embeddings HTTP/1.1", body=b""), {405}


@kind
def unknown_method(rng):
    method = bytes(rng.choices(b"ABCXYZ", k=rng.randint(1, 30)))
    return request(line=method + b" /v1/embeddings HTTP/1.1"), {400, 405}


@kind
def unknown_path(rng):
    odd = [b"/v1/embedding", b"/v9/embed", b"//", b"/../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd"]
    return request(line=b"POST " + rng.choice(odd) + b" HTTP/1.1"), {404}


@kind
def path_of_odd_escapes(rng):
    odd = rng.choice(
        [b"/%zz", b"/%", b"/%00", b"/%ff%fe", b"/v1/models/" + b"%F0" * 50, b"/\xff\xfe"]
    )
    return request(line=b"GET " + odd + b" HTTP/1.1", body=b""), {400, 404, CUT}


@kind
def absolute_target(rng):
    target = rng.choice([b"http://localhost/v1/embeddings", b"http://169.254.169.254/latest"])
    return request(line=b"POST " + target + b" HTTP/1.1"), {200, 400, 404}


@kind
def connect(rng):
    return request(line=b"CONNECT localhost:80 HTTP/1.1", body=b""), {400, 404, 405, CUT}


@kind
def target_too_long(rng):
    line = b"GET /" + b"a" * rng.randint(70_000, 200_000) + b" HTTP/1.1"
    return request(line=line, body=b""), {400, 404, 414, 431, CUT}


@kind
def no_version(rng):
    return rng.choice([b"GET /live\r\n\r\n", b"GET /live\r\n", b"GET /\r\n\r\n"]), {
        200,
        400,
        405,
        408,
        CUT,
    }


@kind
def odd_version(rng):
    version = rng.choice([b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.", b"HTTP/one", b"HTTPS/1.1", b""])
    return request(line=b"POST /v1/embeddings " + version), {200, 400, 426, CUT}


@kind
def not_http(rng):
    tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    starts = [
        tls,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00" * 64,
        b"SSH-2.0-x\r\n",
        b"EHLO x\r\n",
    ]
    return rng.choice(starts) + noise(rng, rng.randint(0, 300)) + b"\r\n\r\n", {400, CUT}


# ---- headers
@kind
def many_headers(rng):
    return request(headers=[(b"X-%d" % n, b"y") for n in range(rng.choice([2000, 20_000]))]), {
        400,
        431,
    }


@kind
def large_header(rng):
    return request(headers=[(b"X-Large", b"y" * rng.choice([100_000, 1_000_000]))]), {400, 431}


@kind
def odd_header(rng):
    name, value = rng.choice(
        [
            (b"X\x00Y", b"z"),
            (b"X Y", b"z"),
            (b"", b"z"),
            (b"X", b"\x00"),
            (b"X", b"a\rb"),
            (b"X\xff", b"z"),
        ]
    )
    return request(headers=[(name, value)]), {200, 400}


@kind
def folded_header(rng):
    return request(headers=[(b"X-Folded", b"a\r\n b\r\n\tc")]), {200, 400}


@kind
def no_host(rng):
    return request(host=False), {200, 400}


@kind
def two_hosts(rng):
    return request(headers=[(b"Host", b"elsewhere")]), {200, 400}


@kind
def upgrade(rng):
    upgrade = rng.choice([b"h2c", b"websocket", b"TLS/1.0", b"x" * 500])
    headers = [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade), (b"Sec-WebSocket-Key", b"eA==")]
    return request(headers=headers), {200, 400, 426}


@kind
def expectation(rng):
    expected = rng.choice([b"100-continue", b"200-ok", b"x" * 5000])
    return request(headers=[(b"Expect", expected)]), {200, 100, 400, 417}


# ---- lengths
@kind
def length_that_is_no_number(rng):
    length = rng.choice(
        [b"-1", b"+5", b"0x10", b"1e3", b"five", b"", b"1,1", b"99999999999999999999", b" "]
    )
    return request(length=length), {400, 411, 413}


@kind
def huge_length_half_closed(rng):
    return request(length=b"%d" % rng.choice([2**31, 2**40, 2**63 - 1])), {400, 413, CUT}


@kind
def two_lengths(rng):
    return request(headers=[(b"Content-Length", b"5"), (b"Content-Length", b"50")]), {400}


@kind
def no_length(rng):
    data = request().replace(b"Content-Length: %d\r\n" % len(GOOD_BODY), b"")
    return data, {400, 411}


@kind
def too_short_half_closed(rng):
    return request(length=b"%d" % (len(GOOD_BODY) + rng.randint(1, 1000))), {400, 408, CUT}


@kind
def longer_than_it_says(rng):
    return request(body=GOOD_BODY + noise(rng, 200), length=b"%d" % len(GOOD_BODY)), {200, 400}


@kind
def both_length_and_chunks(rng):
    headers = [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]
    return request(headers=headers, body=b"0\r\n\r\n"), {400}


@kind
def odd_transfer_encoding(rng):
    coding = rng.choice([b"gzip", b"identity", b"chunked, gzip", b"xchunked", b"chunked, chunked"])
    return request(headers=[(b"Transfer-Encoding", coding)], body=b"0\r\n\r\n"), {400, 411, CUT}


@kind
def odd_chunks_half_closed(rng):
    body = rng.choice(
        [
            b"zz\r\nabc\r\n",
            b"-5\r\nabcde\r\n",
            b"ffffffffffffffffff\r\nabc",
            b"5\r\nabc",
            b"3\r\nabcdef\r\n",
            b"5;" + b"x" * 100_000 + b"\r\nabcde\r\n0\r\n\r\n",
            b"\r\n\r\n",
        ]
    )
    return request(headers=[(b"Transfer-Encoding", b"chunked")], body=body), {400, 408, 413, CUT}


@kind
def body_too_large(rng):
    return request(body=b"[" * (4 << 20)), {413}


@kind
def chunks_too_large(rng):
    body = b"10000\r\n" + b" " * 65536 + b"\r\n"
    return request(headers=[(b"Transfer-Encoding", b"chunked")], body=body * 70 + b"0\r\n\r\n"), {
        413
    }


@kind
def smuggled(rng):
    inner = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
    headers = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"%d" % (5 + len(inner)))]
    return request(headers=headers, body=b"0\r\n\r\n" + inner), {400}


@kind
def pipelined(rng):
    return request() * rng.randint(2, 20), {200, 429, 503}


# ---- bodies
@kind
def other_media_type(rng):
    media = rng.choice(
        [b"text/xml", b"multipart/form-data; boundary=x", b"image/png", b"application/x-yaml"]
    )
    return request(media_type=media), {415}


@kind
def compressed_body(rng):
    body = gzip.compress(b" " * rng.choice([1000, 50_000_000]))
    coding = rng.choice([b"gzip", b"deflate", b"br", b"x"])
    return request(headers=[(b"Content-Encoding", coding)], body=body), {400, 413, 415}


@kind
def not_json(rng):
    cut = GOOD_BODY[: rng.randint(0, len(GOOD_BODY) - 1)]
    body = rng.choice(
        [cut, b"{'input': 'x'}", b"<xml/>", b"\xef\xbb\xbf" + GOOD_BODY, noise(rng, 50), b"{}{}"]
    )
    return request(body=body), {400, 422}


@kind
def not_utf8(rng):
    return request(
        body=b'{"input": "' + rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8"]) + b'"}'
    ), {400}


@kind
def lone_surrogate(rng):
    return request(body=b'{"input": "a\\ud800b"}'), {200, 400, 422}


@kind
def key_twice(rng):
    return request(body=b'{"input": "a", "input": "b"}'), {400, 422}


@kind
def not_a_number(rng):
    number = rng.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
    return request(body=b'{"input": "a", "dimensions": ' + number + b"}"), {400, 422}


@kind
def deep_nesting(rng):
    depth = rng.choice([1000, 100_000, 1_000_000])
    left, right = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    body = b'{"input": ' + left * depth + b"1" + right * depth + b"}"
    return request(body=body[:2_000_000]), {400, 413, 422}


@kind
def wrong_types(rng):
    wrong = rng.choice([None, 1, True, {}, [], [1], [None], [["a"]], [{}], "", ["a", 1], {"a": 1}])
    body = {"input": wrong, "texts": wrong, "inputs": wrong, "query": wrong, "documents": wrong}
    if rng.random() < 0.5:
        body["dimensions"] = rng.choice([-1, 0, 2**63, 2**200, "8", 1.5, [8]])
    path = rng.choice(PATHS)
    data = request(line=b"POST " + path + b" HTTP/1.1", body=json.dumps(body).encode())
    return data, {200, *CLIENT_ERRORS}


@kind
def odd_values(rng):
    body = {
        "input": rng.choice(
            ["\0", "x" * 100_000, "\ufeff", "[CLS]" * 1000, "\u202e" * 100, "😀" * 1000]
        ),
        "model": rng.choice([None, "", "../../etc/passwd", "x" * 10_000, "con", "a\0b", "tiny"]),
        "encoding_format": rng.choice(["float", "base64", "FLOAT", "", "hex"]),
        "dimensions": rng.choice([None, 1, 2, 10**9]),
    }
    return request(body=json.dumps(body).encode()), {200, 400, 404, 413, 422}


@kind
def many_inputs(rng):
    body = json.dumps({"input": ["a"] * rng.choice([5000, 100_000])}).encode()
    return request(body=body), {400, 413, 422}


@kind
def changed_bytes(rng):
    """A good request with some of its bytes changed, dropped or doubled."""
    data = bytearray(request(line=b"POST " + rng.choice(PATHS) + b" HTTP/1.1"))
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(data))
        change = rng.randrange(3)
        if change == 0:
            data[place] = rng.randrange(256)
        elif change == 1:
            del data[place]
        else:
            data[place:place] = data[place : place + rng.randint(1, 20)]
    return bytes(data) + b"\r\n\r\n", {200, CUT, *CLIENT_ERRORS}


@kind
def cut_short_half_closed(rng):
    data = request()
    return data[: rng.randint(1, len(data) - 1)], {400, 408, CUT}


def noise(rng: random.Random, count: int) -> bytes:
    return rng.randbytes(count).replace(b"\r", b" ").replace(b"\n", b" ")
