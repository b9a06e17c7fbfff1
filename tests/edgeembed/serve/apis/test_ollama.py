"""Ollama's API, by its own client."""

import numpy as np
import pytest

ollama = pytest.importorskip("ollama", reason="the extra 'test' has it")
TEXTS = ["the cat sat on the mat", "", "a dog ran"]


@pytest.fixture(scope="module")
def client(served):
    with ollama.Client(host=served) as made:
        yield made


@pytest.mark.parametrize("name", ["tiny", "tiny:latest"])
@pytest.mark.parametrize("dim", [None, 8])
def test_embed(client, encoder, name, dim):
    asked = {"truncate": True, "options": {"num_ctx": 512}, "keep_alive": "5m", "dimensions": dim}
    answer = client.embed(model=name, input=TEXTS, **asked)
    found = np.array(answer.embeddings, np.float32)
    np.testing.assert_array_equal(found, encoder.encode(TEXTS, truncate_dim=dim))
    assert answer.model == name
    assert answer.prompt_eval_count == sum(encoder.count_tokens(TEXTS))


def test_embeddings_as_older_clients_ask_for_them(client, encoder):
    found = np.array(client.embeddings(model="tiny", prompt="the cat").embedding, np.float32)
    np.testing.assert_array_equal(found, encoder.encode("the cat"))


def test_models_are_listed_and_told(client, encoder):
    listed = client.list().models
    assert [model.model for model in listed] == ["tiny", "pictures"]
    assert listed[0].size > 0
    told = client.show("tiny:latest")
    assert told.capabilities == ["embedding"]
    assert told.modelinfo["embedding.embedding_length"] == encoder.dim


def test_errors_are_strings(client):
    with pytest.raises(ollama.ResponseError, match=r"model: .*'other'") as caught:
        client.show("other")
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match=r"^input\[1\]: .* tokens") as caught:
        client.embed(model="tiny", input=["a", "a cat sat " * 30], truncate=False)
    assert caught.value.status_code == 400
