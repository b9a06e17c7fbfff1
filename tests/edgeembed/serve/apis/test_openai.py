"""`/v1/embeddings` and `/v1/models`, by OpenAI's own client and LangChain's."""

import asyncio
import base64

import httpx2
import numpy as np
import pytest

openai = pytest.importorskip("openai", reason="the extra 'test' has it")
TEXTS = ["the cat sat on the mat", "", "a dog ran", "東京 naïve 😀", "running and playing " * 30]


@pytest.fixture(scope="module")
def client(served):
    with openai.OpenAI(base_url=f"{served}/v1", api_key="any", max_retries=0) as made:
        yield made


def vectors_of(answer):
    return np.array([each.embedding for each in answer.data], np.float32)


@pytest.mark.parametrize("encoding", [None, "float"])
def test_vectors_are_those_of_the_encoder_in_order(client, encoder, encoding):
    asked = {} if encoding is None else {"encoding_format": encoding}  # its own choice is base64
    answer = client.embeddings.create(model="tiny", input=TEXTS, **asked)
    np.testing.assert_array_equal(vectors_of(answer), encoder.encode(TEXTS))
    assert [each.index for each in answer.data] == list(range(len(TEXTS)))
    counted = sum(min(count, encoder.max_tokens) for count in encoder.count_tokens(TEXTS))
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == counted
    assert (answer.object, answer.model) == ("list", "tiny")


def test_one_text_and_even_an_empty_one_get_a_vector(client, encoder):
    for text in ("the cat", ""):
        answer = client.embeddings.create(model="tiny", input=text)
        np.testing.assert_array_equal(vectors_of(answer), encoder.encode([text]))


def test_fewer_dimensions_are_those_of_the_encoder(client, encoder):
    answer = client.embeddings.create(model="tiny", input=TEXTS, dimensions=8, user="somebody")
    np.testing.assert_array_equal(vectors_of(answer), encoder.encode(TEXTS, truncate_dim=8))


def test_base64_is_of_little_endian_floats(http, encoder):
    body = {"model": "tiny", "input": ["the cat"], "encoding_format": "base64"}
    answer = http.post("/v1/embeddings", json=body).json()
    found = np.frombuffer(base64.b64decode(answer["data"][0]["embedding"]), "<f4")
    np.testing.assert_array_equal(found, encoder.encode("the cat"))


def test_models_are_listed_and_told(client):
    assert [model.id for model in client.models.list()] == ["tiny", "pictures"]
    told = client.models.retrieve("pictures")
    assert (told.id, told.object) == ("pictures", "model")
    with pytest.raises(openai.NotFoundError, match="'no/such'"):
        client.models.retrieve("no/such")


@pytest.mark.parametrize("ids", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_the_switch_that_sends_texts(client, ids):
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False") as caught:
        client.embeddings.create(model="tiny", input=ids)
    assert (caught.value.param, caught.value.type) == ("input", "invalid_request_error")


def test_impossible_dimensions_are_named(client):
    for dimensions in (17, 0, -1):
        with pytest.raises(openai.BadRequestError, match=r"400 - dimensions: ") as caught:
            client.embeddings.create(model="tiny", input="a", dimensions=dimensions)
        assert caught.value.param == "dimensions"


async def ask_at_once(served):
    async with openai.AsyncOpenAI(base_url=f"{served}/v1", api_key="any") as client:
        asked = [client.embeddings.create(model="tiny", input=text) for text in TEXTS]
        return await asyncio.gather(*asked)


def test_many_at_once_each_get_their_own(served, encoder):
    answers = asyncio.run(ask_at_once(served))
    found = np.concatenate([vectors_of(answer) for answer in answers])
    np.testing.assert_array_equal(found, encoder.encode(TEXTS))


@pytest.mark.slow
def test_langchain_sends_texts_when_told_so(served, encoder):
    langchain_openai = pytest.importorskip("langchain_openai", reason="the extra 'dev' has it")
    with httpx2.Client() as own:
        embeddings = langchain_openai.OpenAIEmbeddings(
            model="tiny",
            base_url=f"{served}/v1",
            api_key="any",
            check_embedding_ctx_length=False,
            http_client=own,
        )
        found = np.array(embeddings.embed_documents(TEXTS), np.float32)
        np.testing.assert_array_equal(found, encoder.encode(TEXTS))
        one = np.array(embeddings.embed_query("the cat"), np.float32)
        np.testing.assert_array_equal(one, encoder.encode("the cat"))
