"""Voyage's shape of `/v1/embeddings` and `/v1/rerank`, as its documentation has them."""

import base64

import numpy as np
import pytest

from helpers import tiny_images

TEXTS = ["the cat sat on the mat", "", "a dog ran"]
NUMPY = {"float": "<f4", "int8": "i1", "uint8": "u1", "binary": "i1", "ubinary": "u1"}
PRECISIONS = {kind: "float32" if kind == "float" else kind for kind in NUMPY}


def post(http, path, body):
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", NUMPY)
@pytest.mark.parametrize("dim", [None, 8])
@pytest.mark.parametrize("encoding", ["base64", None])
def test_vectors_of_every_type_are_those_of_the_encoder(http, encoder, kind, dim, encoding):
    body = {
        "input": TEXTS,
        "model": "tiny",
        "input_type": "query",
        "truncation": True,
        "output_dtype": kind,
        "output_dimension": dim,
        "encoding_format": encoding,
    }
    answer = post(http, "/v1/embeddings", body)
    rows = [each["embedding"] for each in answer["data"]]
    if encoding == "base64":
        rows = [np.frombuffer(base64.b64decode(row), NUMPY[kind]) for row in rows]
    expected = encoder.encode_query(TEXTS, truncate_dim=dim, precision=PRECISIONS[kind])
    np.testing.assert_array_equal(np.array(rows, NUMPY[kind]), expected)
    assert answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("input_type", ["query", "document", None])
def test_the_input_type_picks_the_model_s_prompt(http, encoder, input_type):
    encode = {"query": encoder.encode_query, "document": encoder.encode_document}
    answer = post(http, "/v1/embeddings", {"input": "the cat", "input_type": input_type})
    found = np.array(answer["data"][0]["embedding"], np.float32)
    np.testing.assert_array_equal(found, encode.get(input_type, encoder.encode)("the cat"))


def test_texts_that_are_too_long_are_refused_when_they_may_not_be_cut(http):
    body = {"input": ["short", "a cat sat " * 30], "truncation": False}
    answer = http.post("/v1/embeddings", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("input[1]: ")
    assert answer.json()["error"]["param"] == "input[1]"


def test_two_lengths_at_once_are_refused(http):
    body = {"input": "a", "dimensions": 8, "output_dimension": 16}
    answer = http.post("/v1/embeddings", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "dimensions")


def test_texts_and_pictures_in_one_request(http, pictures):
    photo = tiny_images.as_bytes(tiny_images.photo())
    url = f"data:image/png;base64,{base64.b64encode(photo).decode()}"
    parts = [
        {"type": "text", "text": "the cat"},
        {"type": "image_base64", "image_base64": url},
        {"type": "text", "text": "a dog"},
        {"type": "image_url", "image_url": url},
    ]
    body = {"model": "pictures", "inputs": [{"content": [part]} for part in parts]}
    answer = post(http, "/v1/multimodalembeddings", body)
    found = np.array([each["embedding"] for each in answer["data"]], np.float32)
    texts, image = pictures.encode(["the cat", "a dog"]), pictures.encode_image(photo)
    np.testing.assert_array_equal(found, [texts[0], image, texts[1], image])
    assert answer["usage"]["image_pixels"] == 2 * 64 * 48
