"""Word-vector files of word2vec, GloVe and fastText, imported as bundles."""
