"""fastText's .bin: vectors of words and of any other word, as fastText composes them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeembed import import_word_vectors
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.padded import PaddedEngine
from edgeembed_runtime.engine.schedule import schedule_for
from edgeembed_runtime.engine.session import Session
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError
from edgeembed_runtime.inputs.text.truncation import ignore_truncation
from helpers import word_vector_files as files

letters = st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"])
single_words = st.text(letters, min_size=1, max_size=12)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fasttext")
    data, matrix = files.fasttext()
    (folder / "model.bin").write_bytes(data)
    import_word_vectors(
        folder / "model.bin", folder / "out", lowercase=False, split_punctuation=False
    )
    with Encoder.load(folder / "out") as encoder:
        yield encoder, matrix


def test_words_of_the_vocabulary_are_the_mean_of_their_row_and_their_ngrams(model):
    encoder, matrix = model
    expected = [files.fasttext_vector(word, files.WORDS, matrix) for word in files.WORDS]
    np.testing.assert_allclose(encoder.encode(files.WORDS), expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(word=single_words)
def test_any_other_word_is_the_mean_of_its_ngrams(word, model):
    encoder, matrix = model
    expected = files.fasttext_vector(word, files.WORDS, matrix)
    np.testing.assert_allclose(encoder.encode(word), expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(words=st.lists(single_words, min_size=2, max_size=6))
def test_in_a_text_every_word_counts_once_however_many_ngrams_it_has(words, model):
    encoder, matrix = model
    each = [files.fasttext_vector(word, files.WORDS, matrix) for word in words]
    np.testing.assert_allclose(encoder.encode(" ".join(words)), np.mean(each, axis=0), atol=1e-6)


def test_padded_batches_give_the_same(model):
    encoder, _ = model
    tokenizer = encoder._text.engine.tokenizer
    graph = (encoder.path / "fp32.onnx").read_bytes()
    engine = PaddedEngine(
        tokenizer=tokenizer,
        open_session=lambda settings: Session(graph, "words", settings),
        schedule=schedule_for("throughput", 1),
        fixed=False,
    )
    texts = ["the zebra", "cat", "the naïveté dog dog", "x"]
    found = np.stack(list(engine.encode_many(enumerate(texts), ignore_truncation)))
    np.testing.assert_allclose(found, encoder.encode(texts), atol=1e-6)
    engine.close()


def test_the_end_of_sentence_is_its_row_alone_as_in_fasttext(tmp_path):
    words = ("</s>", "cat")
    data, matrix = files.fasttext(words)
    (tmp_path / "model.bin").write_bytes(data)
    import_word_vectors(tmp_path / "model.bin", tmp_path / "out")
    with Encoder.load(tmp_path / "out") as encoder:
        np.testing.assert_allclose(encoder.encode("</s>"), matrix[0], atol=1e-6)


def test_without_subwords_an_unknown_word_is_zero_and_there_are_no_rows_for_ngrams(tmp_path):
    (tmp_path / "model.bin").write_bytes(files.fasttext()[0])
    import_word_vectors(tmp_path / "model.bin", tmp_path / "out", unknown="zero")
    with Encoder.load(tmp_path / "out") as encoder:
        assert not encoder.encode("zebra").any()
        assert encoder.manifest.text.words.subwords is None
    small = (tmp_path / "out" / "fp32.onnx").stat().st_size
    assert small < 4 * 6 * (len(files.WORDS) + 1) + 1500


def test_a_model_without_ngrams_has_its_rows_as_they_are(tmp_path):
    data, matrix = files.fasttext(buckets=0, minn=0, maxn=0)
    (tmp_path / "model.bin").write_bytes(data)
    import_word_vectors(tmp_path / "model.bin", tmp_path / "out")
    with Encoder.load(tmp_path / "out") as encoder:
        np.testing.assert_allclose(encoder.encode(files.WORDS), matrix, atol=1e-6)
        assert encoder.manifest.text.words.unknown == "zero"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 13}, "version 13"),
        ({"model": 3}, "supervised"),
        ({"labels": 2}, "labels"),
        ({"pruned": 1}, "pruned"),
        ({"quantized": 1}, r"quantized model \(.ftz\)"),
    ],
)
def test_models_without_word_vectors_to_read_are_refused(options, message, tmp_path):
    (tmp_path / "model.bin").write_bytes(files.fasttext(**options)[0])
    with pytest.raises(UnsupportedModelError, match=message):
        import_word_vectors(tmp_path / "model.bin", tmp_path / "out")


def test_a_matrix_of_another_size_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(files.fasttext(rows=12)[0])
    with pytest.raises(ConversionError, match="a matrix of 63 x 6, found 12 x 6"):
        import_word_vectors(tmp_path / "model.bin", tmp_path / "out")


def test_a_file_that_is_cut_off_anywhere_is_refused_with_the_place(tmp_path):
    data = files.fasttext()[0]
    whole = len(data) - 17  # what follows the vectors is not read
    for size in (5, 40, 70, 90, 120, 300, whole - 1000, whole - 1):
        (tmp_path / "model.bin").write_bytes(data[:size])
        with pytest.raises(ConversionError, match=r"model.bin, byte \d+"):
            import_word_vectors(tmp_path / "model.bin", tmp_path / "out")
