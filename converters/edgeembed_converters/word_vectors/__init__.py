"""Files of word vectors: word2vec's, GloVe's and fastText's, read into one table."""
