"""Cohere's embed and rerank, versions 1 and 2, as its documentation has them."""

import base64

import numpy as np
import pytest

from helpers import tiny_images

TEXTS = ["the cat sat on the mat", "", "a dog ran"]
DOCUMENTS = ["a train at the station", "the cat sat", "music", "the cat sat"]
KINDS = {"float": np.float32, "int8": np.int8, "uint8": np.uint8, "binary": np.int8}
KINDS |= {"ubinary": np.uint8}


def precision(kind):
    return "float32" if kind == "float" else kind


def data_url(kind="PNG", **options):
    photo = tiny_images.as_bytes(tiny_images.photo(), kind, **options)
    return photo, f"data:image/{kind.lower()};base64,{base64.b64encode(photo).decode()}"


def post(http, path, body):
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/v1/embed", "/v2/embed"])
@pytest.mark.parametrize("dim", [None, 8])
def test_every_type_at_once_is_what_the_encoder_gives(http, encoder, path, dim):
    body = {
        "model": "tiny",
        "texts": TEXTS,
        "input_type": "search_document",
        "embedding_types": [*KINDS, "base64"],
        "output_dimension": dim,
        "truncate": None,
        "images": None,
    }
    found = post(http, path, body)["embeddings"]
    for kind, dtype in KINDS.items():
        expected = encoder.encode_document(TEXTS, truncate_dim=dim, precision=precision(kind))
        assert expected.dtype == dtype
        np.testing.assert_array_equal(np.array(found[kind], dtype), expected)
    floats = [np.frombuffer(base64.b64decode(row), "<f4") for row in found["base64"]]
    np.testing.assert_array_equal(floats, encoder.encode_document(TEXTS, truncate_dim=dim))


@pytest.mark.parametrize(
    ("input_type", "prompt"),
    [
        ("search_query", "query: "),
        ("search_document", "passage: "),
        ("classification", ""),
        ("clustering", ""),
        (None, ""),
    ],
)
def test_the_input_type_picks_the_model_s_prompt(http, encoder, input_type, prompt):
    answer = post(http, "/v1/embed", {"texts": TEXTS, "input_type": input_type})
    assert answer["response_type"] == "embeddings_floats"
    found = np.array(answer["embeddings"], np.float32)
    np.testing.assert_array_equal(found, encoder.encode(TEXTS, prompt=prompt))


@pytest.mark.parametrize("truncate", ["NONE", "START"])
def test_long_texts_are_refused_unless_their_end_may_be_cut(http, truncate):
    body = {"texts": ["short", "a cat sat " * 30], "truncate": truncate}
    answer = http.post("/v2/embed", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "texts[1]")
    assert len(post(http, "/v2/embed", {**body, "texts": ["short"]})["texts"]) == 1
    assert len(post(http, "/v2/embed", {**body, "truncate": "END"})["texts"]) == 2


def test_pictures_and_inputs_that_are_either(http, pictures):
    photo, url = data_url("JPEG", quality=90)
    image = pictures.encode_image(photo)
    body = {"model": "pictures", "images": [url, url], "input_type": "image"}
    answer = post(http, "/v2/embed", body)
    np.testing.assert_array_equal(
        np.array(answer["embeddings"]["float"], np.float32), [image, image]
    )
    assert answer["meta"]["billed_units"]["images"] == 2
    contents = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "the cat"},
    ]
    body = {"model": "pictures", "inputs": [{"content": [each]} for each in contents]}
    found = post(http, "/v2/embed", body)["embeddings"]["float"]
    expected = [image, pictures.encode("the cat")]
    np.testing.assert_array_equal(np.array(found, np.float32), expected)


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_documents_come_best_first_and_equal_ones_in_their_order(http, encoder, path):
    body = {"model": "tiny", "query": "the cat", "documents": DOCUMENTS, "max_tokens_per_doc": None}
    answer = post(http, path, body)
    order = [each["index"] for each in answer["results"]]
    scores = np.array([each["relevance_score"] for each in answer["results"]])
    assert order[:2] == [1, 3]
    assert (np.diff(scores) <= 0).all()
    vectors = encoder.encode_document(DOCUMENTS)
    expected = encoder.similarity(encoder.encode_query("the cat"), vectors)[0]
    np.testing.assert_allclose(scores, expected[order], atol=1e-6)
    assert answer["data"] == answer["results"]


def test_documents_may_be_objects_and_are_returned_when_asked_for(http):
    documents = [{"text": "a train"}, "the cat sat"]
    body = {"query": "the cat", "documents": documents, "top_n": 1, "return_documents": True}
    answer = post(http, "/v1/rerank", body)
    (best,), (other,) = answer["results"], answer["data"]
    assert (best["index"], best["document"]) == (1, {"text": "the cat sat"})
    assert (other["index"], other["document"]) == (1, "the cat sat")
