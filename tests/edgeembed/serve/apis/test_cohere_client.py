"""Cohere's embed and rerank by its own client, where it is installed."""

import numpy as np
import pytest

cohere = pytest.importorskip("cohere", reason="the extra 'dev' has it")
httpx = pytest.importorskip("httpx")
# The client reads pydantic's models in a way that pydantic has given up.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TEXTS = ["the cat sat on the mat", "", "a dog ran"]
DOCUMENTS = ["a train at the station", "the cat sat", "music", "the cat sat"]


@pytest.fixture(scope="module")
def own():
    with httpx.Client() as made:
        yield made


@pytest.fixture(scope="module")
def one(served, own):
    return cohere.Client(api_key="any", base_url=served, httpx_client=own)


@pytest.fixture(scope="module")
def two(served, own):
    return cohere.ClientV2(api_key="any", base_url=served, httpx_client=own)


def test_embed_of_version_1_in_several_requests(one, encoder):
    texts = TEXTS * 40  # it sends at most 96 at once, and adds up what was billed
    asked = {"texts": texts, "model": "tiny", "input_type": "search_query"}
    answer = one.embed(**asked)
    found = np.array(answer.embeddings, np.float32)
    np.testing.assert_array_equal(found, encoder.encode_query(texts))
    assert answer.meta.billed_units.input_tokens > len(texts)
    by_type = one.embed(**asked, embedding_types=["int8"]).embeddings.int8
    expected = encoder.encode_query(texts, precision="int8")
    np.testing.assert_array_equal(np.array(by_type), expected)


def test_embed_of_version_2(two, encoder):
    asked = {"texts": TEXTS, "model": "tiny", "input_type": "search_document"}
    answer = two.embed(**asked, embedding_types=["float", "ubinary"], output_dimension=8)
    floats = np.array(answer.embeddings.float_, np.float32)
    np.testing.assert_array_equal(floats, encoder.encode_document(TEXTS, truncate_dim=8))


def test_rerank_of_both_versions(one, two):
    asked = {"query": "the cat", "model": "tiny", "documents": DOCUMENTS, "top_n": 2}
    for client in (one, two):
        assert [each.index for each in client.rerank(**asked).results] == [1, 3]


def test_errors_are_its_own(two):
    with pytest.raises(cohere.BadRequestError) as caught:
        two.embed(model="tiny", input_type="question", texts=TEXTS)
    assert caught.value.body["message"].startswith("input_type: ")
