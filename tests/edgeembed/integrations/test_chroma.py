"""Chroma: its own collections, over a bundle; opened again, and with another model at its path."""

import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from edgeembed import InputError
from helpers import tiny_bundle

chromadb = pytest.importorskip("chromadb", reason="Chroma runs in an environment of its own")
pytestmark = pytest.mark.filterwarnings("ignore")

from edgeembed.integrations.chroma import EdgeEmbedEmbeddingFunction  # noqa: E402

TEXTS = ["the cat sat on the mat", "the dog ran in the rain", "cook soup of tomato"]


@pytest.fixture
def function(tiny_path):
    return EdgeEmbedEmbeddingFunction(str(tiny_path), variant="fp32")


def test_vectors_are_the_encoders(function, encoder):
    np.testing.assert_array_equal(np.array(function(TEXTS)), encoder.encode_document(TEXTS))
    np.testing.assert_array_equal(
        np.array(function.embed_query(TEXTS)), encoder.encode_query(TEXTS)
    )
    assert not function.is_legacy()
    assert function.default_space() == "cosine"
    with pytest.raises(InputError, match=r"inputs\[1\]: expected a text"):
        function(["a", None])


def test_a_collection_is_filled_queried_and_opened_again(function, encoder, tmp_path):
    client = chromadb.PersistentClient(str(tmp_path / "store"))
    made = client.create_collection("notes", embedding_function=function)
    made.add(ids=["cat", "dog", "soup"], documents=TEXTS)
    stored = made.get(ids=["cat", "dog", "soup"], include=["embeddings"])["embeddings"]
    np.testing.assert_array_equal(np.float32(stored), encoder.encode_document(TEXTS))
    scores = encoder.encode_document(TEXTS) @ encoder.encode_query("tomato soup")
    expected = [["cat", "dog", "soup"][at] for at in np.argsort(-scores)]
    assert made.query(query_texts=["tomato soup"])["ids"] == [expected]
    code = f"""
        import chromadb
        import edgeembed.integrations.chroma
        notes = chromadb.PersistentClient({str(tmp_path / "store")!r}).get_collection("notes")
        print(notes.query(query_texts=["tomato soup"])["ids"])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str([expected]), done.stderr


def test_another_model_at_the_path_is_refused(tiny_path, tmp_path):
    path = tmp_path / "own.bundle"
    tiny_bundle.copy_bundle(tiny_path, path)
    config = EdgeEmbedEmbeddingFunction(str(path)).get_config()
    assert EdgeEmbedEmbeddingFunction.build_from_config(config).get_config() == config
    shutil.rmtree(path)
    config = {**config, "bundle": "static"}
    with pytest.raises(InputError, match=r"bundle static: expected the model that the collection"):
        EdgeEmbedEmbeddingFunction.build_from_config(config)
