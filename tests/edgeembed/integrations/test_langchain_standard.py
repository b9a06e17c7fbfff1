"""LangChain's own standard tests of embeddings and vector stores."""

import pytest

pytest.importorskip("langchain_tests", reason="langchain-tests runs in an environment of its own")
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests

from edgeembed.integrations.langchain import (
    EdgeEmbedEmbeddings,
    EdgeEmbedVectorStore,
)


class UsesTheEncoder:
    @pytest.fixture(autouse=True)
    def _encoder(self, encoder):
        self.encoder = encoder

    @property
    def embeddings_class(self):
        return EdgeEmbedEmbeddings

    @property
    def embedding_model_params(self):
        return {"encoder": self.encoder}


class TestEmbeddingsUnit(UsesTheEncoder, EmbeddingsUnitTests):
    pass


class TestEmbeddings(UsesTheEncoder, EmbeddingsIntegrationTests):
    pass


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, encoder, tmp_path):
        store = EdgeEmbedVectorStore.open(tmp_path / "index", encoder)
        with store.index:
            yield store
