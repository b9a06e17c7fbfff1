"""KeyBERT and BERTopic with an Encoder, by its SentenceTransformer; nothing is downloaded."""

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", minversion="6")
pytestmark = pytest.mark.filterwarnings("ignore")

from edgeembed.integrations.sentence_transformers import as_sentence_transformer  # noqa: E402

TEXTS = ["the cat sat on the mat", "the dog ran in the rain", "cook the soup of tomato"] * 5


def test_keybert_finds_the_keywords_of_the_encoders_vectors(encoder):
    keybert = pytest.importorskip("keybert")
    found = keybert.KeyBERT(as_sentence_transformer(encoder)).extract_keywords(TEXTS[0], top_n=3)
    assert found
    text = encoder.encode(TEXTS[0])
    for word, score in found:
        assert score == pytest.approx(float(encoder.encode(word) @ text), abs=1e-3)


@pytest.mark.slow
def test_bertopic_groups_the_encoders_vectors(encoder):
    bertopic = pytest.importorskip("bertopic")
    cluster = pytest.importorskip("sklearn.cluster")
    decomposition = pytest.importorskip("sklearn.decomposition")
    topics = bertopic.BERTopic(
        embedding_model=as_sentence_transformer(encoder),
        umap_model=decomposition.PCA(2),
        hdbscan_model=cluster.KMeans(3, n_init=1, random_state=0),
    )
    found, _ = topics.fit_transform(TEXTS)
    assert len({tuple(found[i::3]) for i in range(3)}) == 3
    backend = topics.embedding_model
    np.testing.assert_array_equal(backend.embed_documents(TEXTS), encoder.encode(TEXTS))
