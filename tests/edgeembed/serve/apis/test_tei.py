"""The API of text-embeddings-inference, by Hugging Face's client and as documented."""

import numpy as np
import pytest

huggingface_hub = pytest.importorskip("huggingface_hub", reason="the extra 'test' has it")
TEXTS = ["the cat sat on the mat", "", "a dog ran"]


@pytest.fixture(scope="module", params=["", "/embed"])
def client(request, served):
    return huggingface_hub.InferenceClient(model=served + request.param, token="any")


def post(http, path, body):
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_feature_extraction(client, encoder):
    np.testing.assert_array_equal(client.feature_extraction(TEXTS), encoder.encode(TEXTS))
    np.testing.assert_array_equal(client.feature_extraction("the cat"), encoder.encode(["the cat"]))
    found = client.feature_extraction(
        TEXTS,
        normalize=True,
        prompt_name="shout",
        truncate=True,
        truncation_direction="right",
    )
    np.testing.assert_array_equal(found, encoder.encode(TEXTS, prompt_name="shout"))


def test_fewer_dimensions_are_those_of_the_encoder(http, encoder):
    found = post(http, "/embed", {"inputs": TEXTS, "dimensions": 8})
    expected = encoder.encode(TEXTS, truncate_dim=8)
    np.testing.assert_array_equal(np.array(found, np.float32), expected)


def test_errors_are_strings_of_a_type(client, http):
    with pytest.raises(huggingface_hub.errors.BadRequestError, match=r"prompt_name: .* 'whisper'"):
        client.feature_extraction("a", prompt_name="whisper")
    answer = http.post("/embed", json={"inputs": "a", "prompt_name": "whisper"})
    assert answer.json()["error"].startswith("prompt_name: ")
    assert answer.json()["error_type"] == "Validation"


@pytest.mark.parametrize("path", ["", "/similarity"])
def test_sentence_similarity(served, encoder, path):
    client = huggingface_hub.InferenceClient(model=served + path, token="any")
    found = client.sentence_similarity("the cat sat", ["the cat", "music", "the cat sat"])
    vectors = encoder.encode(["the cat sat", "the cat", "music", "the cat sat"])
    np.testing.assert_allclose(found, vectors[1:] @ vectors[0], atol=1e-6)
    assert max(found) <= 1


def test_long_texts_lose_their_end_and_never_their_start(http, encoder):
    long = "a cat sat " * 30
    body = {"inputs": [long], "truncate": True}
    for direction in (None, "Right"):
        found = post(http, "/embed", {**body, "truncation_direction": direction})
        np.testing.assert_array_equal(np.array(found, np.float32), encoder.encode([long]))
    refused = ({"truncation_direction": "Left"}, {"truncate": False})
    for options in refused:
        answer = http.post("/embed", json={**body, **options})
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("inputs: expected at most 32 tokens")


def test_a_vector_for_every_token(http, encoder):
    found = post(http, "/embed_all", {"inputs": ["the cat", "a dog ran"]})
    for text, vectors in zip(["the cat", "a dog ran"], found, strict=True):
        expected = encoder.encode_tokens(text)
        np.testing.assert_array_equal(np.array(vectors, np.float32), expected)


def test_tokens_say_which_characters_they_stand_for(http):
    text = "the naïve cat"
    (found,) = post(http, "/tokenize", {"inputs": text})
    assert [token["text"] for token in found][:2] == ["[CLS]", "the"]
    assert (found[0]["special"], found[0]["start"], found[0]["stop"]) == (True, None, None)
    assert "".join(text[t["start"] : t["stop"]] for t in found if not t["special"]) == "thenaïvecat"
    (bare,) = post(http, "/tokenize", {"inputs": [text], "add_special_tokens": False})
    assert bare == [token for token in found if not token["special"]]


def test_rerank(http):
    body = {"query": "the cat", "texts": ["a train", "the cat sat"], "return_text": True}
    first, second = post(http, "/rerank", body)
    assert (first["index"], first["text"], second["index"]) == (1, "the cat sat", 0)
    assert first["score"] > second["score"]
    assert "text" not in post(http, "/rerank", {**body, "return_text": False})[0]


def test_info(http, encoder):
    told = http.get("/info").json()
    assert (told["model_id"], told["max_input_length"]) == ("tiny", encoder.max_tokens)
