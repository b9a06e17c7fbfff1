"""gensim, where it is installed, reads the same files: the same vectors and neighbors."""

import numpy as np
import pytest

from edgeembed import import_word_vectors
from edgeembed_runtime.encoder.encoder import Encoder
from helpers import word_vector_files as files

pytest.importorskip("gensim")
OTHER_WORDS = ("zebra", "naïveté", "東", "Café-Bar", "a", "x" * 40, "emoji😍")


def gensim_words():
    from gensim.models import KeyedVectors
    from gensim.models.fasttext import load_facebook_vectors

    return {
        "model.bin": (files.fasttext()[0], load_facebook_vectors),
        "words.bin": (files.binary(), lambda p: KeyedVectors.load_word2vec_format(p, binary=True)),
        "words.vec": (files.text(), KeyedVectors.load_word2vec_format),
        "glove.txt": (
            files.text(header=False),
            lambda p: KeyedVectors.load_word2vec_format(p, no_header=True),
        ),
    }


# gensim leaves files open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["model.bin", "words.bin", "words.vec", "glove.txt"])
def test_vectors_and_neighbors_are_gensims(name, tmp_path):
    data, load = gensim_words()[name]
    (tmp_path / name).write_bytes(data)
    options = {"lowercase": False, "split_punctuation": False}
    import_word_vectors(tmp_path / name, tmp_path / "out", **options)  # pyright: ignore[reportArgumentType]
    theirs = load(str(tmp_path / name))
    words = [*files.WORDS, *(OTHER_WORDS if name == "model.bin" else ())]
    with Encoder.load(tmp_path / "out") as encoder:
        expected = np.stack([theirs[word] for word in words])
        np.testing.assert_allclose(encoder.encode(words), expected, atol=1e-6)
        for positive, negative in ((["cat"], []), (["cat", "ran"], ["dog"])):
            found = encoder.most_similar(positive, negative, k=5)
            peers = theirs.most_similar(positive, negative, topn=5)
            assert [near.word for near in found] == [word for word, _ in peers]
            np.testing.assert_allclose([n.score for n in found], [s for _, s in peers], atol=1e-6)
