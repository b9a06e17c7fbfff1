"""What every API refuses: the right status, in its own shape, with the field named."""

import base64
import json

import pytest

from helpers import tiny_images

# Each path, a body that works, and the fields of texts, of the length and of the prompt.
OPENAI = ("/v1/embeddings", {"model": "tiny", "input": ["a", "b"]}, "input")
COHERE_1 = ("/v1/embed", {"model": "tiny", "texts": ["a", "b"]}, "texts")
COHERE_2 = ("/v2/embed", {"model": "tiny", "texts": ["a", "b"]}, "texts")
RERANK_1 = ("/v1/rerank", {"model": "tiny", "query": "a", "documents": ["b", "c"]}, "documents")
RERANK_2 = ("/v2/rerank", {"model": "tiny", "query": "a", "documents": ["b", "c"]}, "documents")
OLLAMA = ("/api/embed", {"model": "tiny", "input": ["a", "b"]}, "input")
ROOT = ("/", {"inputs": ["a", "b"]}, "inputs")
EMBED = ("/embed", {"inputs": ["a", "b"]}, "inputs")
EMBED_ALL = ("/embed_all", {"inputs": ["a", "b"]}, "inputs")
TOKENIZE = ("/tokenize", {"inputs": ["a", "b"]}, "inputs")
TEI_RERANK = ("/rerank", {"query": "a", "texts": ["b", "c"]}, "texts")
ALL = [
    *(OPENAI, COHERE_1, COHERE_2, RERANK_1, RERANK_2, OLLAMA),
    *(ROOT, EMBED, EMBED_ALL, TOKENIZE, TEI_RERANK),
]
EACH = pytest.mark.parametrize(("path", "body", "field"), ALL, ids=[path for path, _, _ in ALL])


def said(answer):
    """What an error body says, in the API's own shape."""
    told = answer.json()
    error = told["error"]
    if isinstance(error, str):
        return error
    assert told["message"] == told["detail"] == error["message"]
    return error["message"]


def refused(http, path, body, status=400):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = http.post(path, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    return said(answer)


@EACH
def test_the_body_works_as_it_is(http, path, body, field):
    assert http.post(path, json=body).status_code == 200


@EACH
def test_what_is_no_text_is_refused_by_name(http, path, body, field):
    for value in (None, 7, True, {"a": 1}, [], [None], [7], [["a"]], [{"b": 1}]):
        assert refused(http, path, {**body, field: value}).startswith(field)


@EACH
def test_a_missing_field_is_named(http, path, body, field):
    rest = {key: value for key, value in body.items() if key != field}
    assert field in refused(http, path, rest)


UNSOUND = {
    "nothing": b"",
    "null": b"null",
    "list": b"[]",
    "cut": b"{",
    "other characters": b"\xff\xfe",
    "no number": b'{"a": NaN}',
    "half a character": b'{"a": "\\ud800"}',
    "depth": b'{"a": ' + b"[" * 100_000,
    "twice": b'{"a": 1, "a": 1}',
}


@EACH
def test_what_is_no_sound_object_is_refused(http, path, body, field):
    for raw in UNSOUND.values():
        refused(http, path, raw)


@EACH
def test_half_a_character_is_refused(http, path, body, field):
    raw = json.dumps(body).encode().replace(b'"b"', b'"b \\ud800 c"')
    assert b"ud800" in raw
    refused(http, path, raw)


@EACH
def test_more_texts_than_the_server_takes_are_refused(http, path, body, field):
    many = {**body, field: ["a"] * 101}
    assert "100" in refused(http, path, many, 413)


@EACH
def test_a_text_that_is_longer_than_the_server_takes_is_refused(http, path, body, field):
    refused(http, path, {**body, field: ["x" * 100_001]}, 413)


@pytest.mark.parametrize(("path", "body", "field"), [OPENAI, COHERE_2, RERANK_2, OLLAMA, EMBED])
def test_a_model_that_is_not_served_is_unknown(http, path, body, field):
    assert "tiny" in refused(http, path, {**body, "model": "other"}, 404)


@pytest.mark.parametrize(
    ("case", "field"),
    [
        (OPENAI, "dimensions"),
        (OPENAI, "output_dimension"),
        (COHERE_1, "output_dimension"),
        (COHERE_2, "output_dimension"),
        (OLLAMA, "dimensions"),
        (ROOT, "dimensions"),
        (EMBED, "dimensions"),
        (RERANK_1, "top_n"),
        (RERANK_1, "top_k"),
    ],
)
def test_impossible_numbers_are_named(http, case, field):
    path, body, _ = case
    for value in (0, -1, 1.5, "8", True, 2**70, 17):
        if value == 17 and field.startswith("top"):
            continue  # more than there are gives all
        assert refused(http, path, {**body, field: value}).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("case", "field", "value"),
    [
        (OPENAI, "encoding_format", "hex"),
        (OPENAI, "input_type", "question"),
        (OPENAI, "output_dtype", "float16"),
        (OPENAI, "truncation", "yes"),
        (COHERE_1, "input_type", "question"),
        (COHERE_2, "embedding_types[1]", ["float", "float64"]),
        (COHERE_2, "truncate", "MIDDLE"),
        (OLLAMA, "truncate", 1),
        (EMBED, "truncation_direction", "up"),
        (EMBED, "normalize", "no"),
        (EMBED, "encoding_format", "base64"),
        (ROOT, "prompt_name", "whisper"),
        (EMBED_ALL, "prompt_name", "whisper"),
    ],
)
def test_unknown_values_are_named(http, case, field, value):
    path, body, _ = case
    asked = {**body, field.partition("[")[0]: value}
    assert refused(http, path, asked).startswith(f"{field}: ")


def test_the_words_that_a_field_takes_are_listed(http):
    path, body, _ = COHERE_2
    said = refused(http, path, {**body, "embedding_types": ["float", "float64"]})
    expected = "base64, binary, float, int8, ubinary, uint8"
    assert said == f"embedding_types[1]: expected {expected}, got 'float64'"
    path, body, _ = OPENAI
    said = refused(http, path, {**body, "encoding_format": "hex"})
    assert said == "encoding_format: expected base64, float, got 'hex'"


BITS = [
    (OPENAI, {"dimensions": 4, "output_dtype": "ubinary"}, "output_dtype"),
    (COHERE_2, {"output_dimension": 4, "embedding_types": ["binary"]}, "embedding_types"),
]


@pytest.mark.parametrize(("case", "options", "field"), BITS)
def test_bits_that_fill_no_bytes_are_refused(http, case, options, field):
    path, body, _ = case
    assert refused(http, path, {**body, **options}).startswith(f"{field} ")


PNG = tiny_images.as_bytes(tiny_images.photo())
IN_BASE64 = base64.b64encode(PNG).decode()
LINKS = [
    "http://127.0.0.1/x.png",
    "https://example.org/x.png",
    "file:///etc/passwd",
    "ftp://x/y",
    " HTTP://[::1]/",
]


@pytest.mark.parametrize("link", LINKS)
def test_no_link_to_a_picture_is_followed(http, link):
    body = {"model": "pictures", "images": [link]}
    assert "no URL is ever fetched" in refused(http, "/v2/embed", body)
    content = [{"type": "image_url", "image_url": {"url": link}}]
    body = {"model": "pictures", "inputs": [{"content": content}]}
    assert "no URL is ever fetched" in refused(http, "/v2/embed", body)
    content = [{"type": "image_url", "image_url": link}]
    body = {"model": "pictures", "inputs": [{"content": content}]}
    assert "no URL is ever fetched" in refused(http, "/v1/multimodalembeddings", body)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (IN_BASE64, 400),
        ("data:image/png," + IN_BASE64, 400),
        ("data:image/png;base64,@@@@", 400),
        ("data:image/png;base64,abc", 400),
        ("data:image/png;base64,é", 400),
        ("data:image/png;base64,", 422),
        ("data:image/png;base64,bm8gcGljdHVyZQ==", 422),
        ("data:image/png;base64," + base64.b64encode(PNG[:200]).decode(), 422),
        ("data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7 ...").decode(), 422),
    ],
    ids=["bare", "percent", "signs", "cut", "letters", "nothing", "text", "half", "pdf"],
)
def test_broken_pictures_are_named(http, url, status):
    good = "data:image/png;base64," + IN_BASE64
    body = {"model": "pictures", "images": [good, url]}
    assert refused(http, "/v2/embed", body, status).startswith("images[1]")


def test_a_model_of_texts_takes_no_pictures(http):
    body = {"model": "tiny", "images": ["data:image/png;base64," + IN_BASE64]}
    refused(http, "/v2/embed", body)


@pytest.mark.parametrize(
    "given", [{}, {"texts": ["a"], "images": []}, {"texts": ["a"], "inputs": []}]
)
def test_cohere_takes_one_kind_of_inputs(http, given):
    refused(http, "/v2/embed", {"model": "tiny", **given})
    both = {"texts": ["a"], "images": ["data:image/png;base64," + IN_BASE64]}
    assert "texts and images" in refused(http, "/v2/embed", {"model": "pictures", **both})


def test_a_text_and_a_picture_in_one_input_are_refused(http):
    part = {"type": "text", "text": "a"}
    body = {"model": "pictures", "inputs": [{"content": [part, part]}]}
    assert refused(http, "/v2/embed", body).startswith("inputs[0].content: ")
    body = {"model": "pictures", "inputs": [{"content": [{"type": "video_url"}]}]}
    assert refused(http, "/v2/embed", body).startswith("inputs[0].content[0]")
