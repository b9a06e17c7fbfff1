"""What can be evaluated: bundles, sentence-transformers, word vectors."""

import numpy as np
import pytest

from edgeembed import Encoder
from edgeembed.evaluate import FunctionModel, open_models
from edgeembed.evaluate.models.word_vectors import WordVectors
from edgeembed_runtime.errors import InputError

GLOVE = ["the 0.1 0.2", "cat 1 0", "dog 0 1", "New 1 1"]


def test_a_bundle_stands_for_all_its_variants_or_for_the_one_named(tiny_path):
    both = open_models([str(tiny_path)])
    assert [model.name for model in both] == ["tiny fp32", "tiny int8"]
    (one,) = open_models([f"{tiny_path}@int8"])
    assert one.name == "tiny int8"
    assert both[0].key != both[1].key
    assert one.key == both[1].key
    assert one.megabytes == pytest.approx((tiny_path / "int8.onnx").stat().st_size / 1e6)
    assert one.vocabulary() is None


def test_roles_use_the_bundles_prompts(tiny_path):
    (model,) = open_models([f"{tiny_path}@fp32"])
    with Encoder.load(tiny_path, variant="fp32") as encoder:
        for role, encode in (
            ("plain", encoder.encode),
            ("query", encoder.encode_query),
            ("document", encoder.encode_document),
        ):
            np.testing.assert_array_equal(model.encode(["the cat"], role), encode(["the cat"]))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("header", [[], ["4 2"]])
def test_word_vectors_are_read_in_both_text_forms(write, header):
    model = WordVectors(write("glove.txt", [*header, *GLOVE]))
    assert model.vocabulary() == ("the", "cat", "dog", "New")
    assert (model.dim, model.name) == (2, "glove")
    found = model.encode(["cat", "CAT", "new", "cat and dog!", "zebra"], "plain")
    np.testing.assert_allclose(found[:2], [[1, 0], [1, 0]])
    np.testing.assert_allclose(found[3], [0.5, 0.5])
    assert np.isnan(found[4]).all()
    assert np.isnan(found[2]).all()  # "New" is another word than "new"
    np.testing.assert_array_equal(model.features(["zebra"]), [[0, 0]])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["cat 1 2", "dog 1"], "line 2: expected a word and 2 numbers"),
        (["cat 1 2", "dog 1 x"], "line 2: expected a word and 2 numbers"),
        (["cat one two"], "line 1: expected a word and numbers"),
        (["cat 1 nan"], "line 1"),
        ([""], "found nothing"),
    ],
)
def test_bad_word_vectors_are_errors(write, lines, message):
    with pytest.raises(InputError, match=message):
        WordVectors(write("bad.txt", lines))


@pytest.mark.parametrize("name", ["nothing", "folder", "file.bin", "tiny@no"])
def test_what_is_no_model_is_an_error(tmp_path, monkeypatch, own_bundle, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.bin").write_bytes(b"")
    own_bundle.rename(tmp_path / "tiny")
    with pytest.raises(InputError, match="expected"):
        open_models([name])


def test_the_same_model_twice_is_an_error(tiny_path):
    with pytest.raises(InputError, match="got 'tiny int8' twice"):
        open_models([str(tiny_path), f"{tiny_path}@int8"])


def test_a_function_is_a_model_and_is_held_to_its_word():
    model = FunctionModel("lengths", lambda texts: np.array([[len(t), 1] for t in texts]))
    np.testing.assert_array_equal(model.encode(["a", "abc"], "query"), [[1, 1], [3, 1]])
    assert (model.dim, model.key) == (2, None)
    for bad in (lambda texts: np.zeros(3), lambda texts: np.full((len(texts), 2), np.nan)):
        with pytest.raises(InputError, match="expected 1 vectors of finite numbers"):
            FunctionModel("bad", bad).encode(["a"], "plain")  # pyright: ignore[reportArgumentType]


def test_a_sentence_transformers_directory_gives_its_own_vectors(tmp_path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    from helpers.tiny_bundle import tokenizer

    original = sentence_transformers.SentenceTransformer(
        modules=[StaticEmbedding(tokenizer(), embedding_dim=8)], device="cpu"
    )
    original.save(str(tmp_path / "model"))
    (tmp_path / "model/config.json").touch()
    (model,) = open_models([str(tmp_path / "model")])
    texts = ["the cat", "a dog"]
    np.testing.assert_allclose(model.encode(texts, "plain"), original.encode(texts), atol=1e-6)
    assert (model.dim, model.key, model.name) == (8, None, "model torch")
    assert model.megabytes > 0
