"""Voyage's embed and rerank by its own client, where it is installed."""

import numpy as np
import pytest

from helpers import tiny_images

voyageai = pytest.importorskip("voyageai", reason="not in the extra 'test': it needs LangChain")
TEXTS = ["the cat sat on the mat", "", "a dog ran"]


@pytest.fixture(scope="module")
def client(served):
    return voyageai.Client(api_key="any", base_url=f"{served}/v1")


@pytest.mark.parametrize("kind", [None, "float", "int8", "uint8", "binary", "ubinary"])
def test_embed(client, encoder, kind):
    asked = {"output_dtype": kind, "output_dimension": 8}
    found = client.embed(TEXTS, model="tiny", input_type="document", **asked)
    precision = "float32" if kind in (None, "float") else kind
    expected = encoder.encode_document(TEXTS, truncate_dim=8, precision=precision)
    np.testing.assert_array_equal(np.array(found.embeddings, expected.dtype), expected)
    assert found.total_tokens > 0


def test_rerank(client):
    documents = ["a train", "the cat sat", "music"]
    (best,) = client.rerank("the cat", documents, model="tiny", top_k=1).results
    assert (best.index, best.document) == (1, "the cat sat")


def test_errors_are_its_own(client):
    with pytest.raises(voyageai.error.InvalidRequestError, match=r"^input_type: "):
        client.embed(TEXTS, model="tiny", input_type="question")


def test_pictures(client, pictures):
    photo = tiny_images.photo()
    found = client.multimodal_embed([["the cat"], [photo]], model="pictures")
    expected = [pictures.encode("the cat"), pictures.encode_image(np.asarray(photo))]
    np.testing.assert_array_equal(np.array(found.embeddings, np.float32), expected)
