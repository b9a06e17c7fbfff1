"""A server of embeddings, reranking and search over HTTP, for the clients that people have."""
