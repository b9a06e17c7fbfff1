"""Static models: the bundle gives the vectors of sentence-transformers, or of model2vec itself."""

import functools
import importlib.util
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError

has_model2vec = importlib.util.find_spec("model2vec") is not None
UNKNOWN = ("☃☃☃", "the ☃ cat")
LIMIT = 100  # the longest probes have some 300 tokens of no limit's 32,768


@functools.cache
def tables(tokenizers):
    """Static models by name, made with the tokenizers of `tiny`."""
    from sentence_transformers.sentence_transformer import modules as m

    torch.manual_seed(3)
    return {
        "plain": [m.StaticEmbedding(tokenizers.wordpiece(), embedding_dim=16)],
        "scaled": [m.StaticEmbedding(tokenizers.wordpiece(), embedding_dim=16), m.Normalize()],
        "dense": [m.StaticEmbedding(tokenizers.wordpiece(), embedding_dim=16), m.Dense(16, 8)],
    }


@pytest.fixture
def static(tiny):
    """`static(name, **settings)`: a live model, whose tokenizer cuts texts as a saved one may."""
    from sentence_transformers import SentenceTransformer

    def make(name, **settings):
        parts = tables(tiny)[name]
        parts[0].tokenizer.enable_truncation(LIMIT)
        return SentenceTransformer(modules=parts, device="cpu", **settings)

    return make


@pytest.fixture
def model2vec(tiny, tmp_path):
    """`model2vec(**tensors)`: a directory as older versions of model2vec saved it."""

    def make(embeddings=None, config=(), **tensors):
        tokenizer = tiny.wordpiece()
        generator = torch.Generator().manual_seed(4)
        rows = torch.randn(tokenizer.get_vocab_size(), 16, generator=generator)
        path = tmp_path / "table"
        path.mkdir()
        tokenizer.save(str(path / "tokenizer.json"))
        found = rows if embeddings is None else embeddings(rows)
        save_file({"embeddings": found, **tensors}, path / "model.safetensors")
        settings = {"model_type": "model2vec", "max_length": LIMIT, "normalize": False}
        dtype = {"embedding_dtype": str(found.dtype).removeprefix("torch.")}
        (path / "config.json").write_text(json.dumps({**settings, **dtype, **dict(config)}))
        return path

    return make


def ids_of(source, text):
    """As model2vec reads a text: without special and unknown tokens."""
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    ids = tokenizer.encode(text, add_special_tokens=False).ids[:LIMIT]
    return [number for number in ids if number != tokenizer.token_to_id("[UNK]")]


def assert_equal(expected, found):
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("name", ["plain", "scaled", "dense"])
def test_vectors_are_sentence_transformers(name, static, tmp_path, texts, encode):
    model = static(name)
    asked = [*texts, *UNKNOWN]
    expected = np.stack([model.encode(text) for text in asked])
    report = convert(model, tmp_path / "bundle")
    assert_equal(expected, encode(report.path, asked))
    assert_equal(expected[3], np.zeros(16)) if name != "dense" else None


def test_smaller_rows_prompts_and_what_is_known(static, tmp_path, texts, encode):
    model = static("scaled", prompts={"query": "the cat: "})
    expected = model.encode_query(list(texts))
    report = convert(model, tmp_path / "bundle", quantize=("fp16", "int8"))
    for variant, most in (("fp32", 2e-5), ("fp16", 1e-3), ("int8", 0.02)):
        found = encode(report.path, texts, variant, "encode_query")
        np.testing.assert_allclose(found, expected, atol=most)
        assert not encode(report.path, [""], variant).any()
    with Encoder.load(report.path, verify="golden") as encoder:
        assert encoder.knows(["the cat", "☃", ""]) == [True, False, False]
        assert encoder.most_similar("cat", k=2)[0].word != "cat"


@pytest.mark.parametrize(
    ("file", "key"),
    [("config_sentence_transformers.json", "pooling_of_tables"), ("1_Dense/config.json", "scale")],
)
def test_a_setting_that_nothing_reads_is_refused_by_name(file, key, static, tmp_path):
    static("dense").save_pretrained(str(tmp_path / "m"))
    path = tmp_path / "m" / file
    path.write_text(json.dumps({**json.loads(path.read_text()), key: 2}))
    # Of a module's own setting, some versions of sentence-transformers complain themselves.
    refusal = f"{file}: {key} = 2|unexpected keyword argument '{key}'"
    with pytest.raises(ConversionError, match=refusal):
        convert(tmp_path / "m", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_table_cut_to_fewer_components_and_tokens(static, tmp_path, texts, encode):
    model = static("plain", truncate_dim=8)
    model.save(str(tmp_path / "model"))
    report = convert(tmp_path / "model", tmp_path / "bundle", max_tokens=5)
    model[0].tokenizer.enable_truncation(5)
    assert_equal(np.stack([model.encode(text) for text in texts]), encode(report.path, texts))


def test_without_modules_unknown_tokens_do_not_count(model2vec, tmp_path, texts, encode):
    source = model2vec()
    table = load_file(source / "model.safetensors")["embeddings"].numpy()
    asked = [*texts, *UNKNOWN]
    rows = [table[ids_of(source, text)] for text in asked]
    expected = np.stack([each.mean(0) if len(each) else np.zeros(16) for each in rows])
    report = convert(source, tmp_path / "bundle")
    assert_equal(expected, encode(report.path, asked))
    assert any("model2vec, whose encode" in note for note in report.notes) != has_model2vec


def test_shared_rows_weights_and_integers(model2vec, tmp_path, texts, encode):
    size = 400  # ids that no token has, too
    mapping, weights = torch.arange(size) % 50, torch.linspace(0.5, 2, size)
    source = model2vec(
        lambda rows: (rows[:50] * 40).to(torch.int8),
        {"normalize": True},
        mapping=mapping,
        weights=weights,
    )
    table = load_file(source / "model.safetensors")["embeddings"].float()
    folded = (table[mapping] * weights[:, None]).numpy()
    known = [text for text in texts if ids_of(source, text)]
    expected = np.stack([folded[ids_of(source, text)].mean(0) for text in known])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert_equal(expected, encode(convert(source, tmp_path / "bundle").path, known))


def test_rows_that_do_not_fit_the_tokens(model2vec, tmp_path):
    with pytest.raises(ConversionError, match="expected a row for each of the"):
        convert(model2vec(lambda rows: rows[:9].contiguous()), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_directories_that_model2vec_saves(dtype, tiny, tmp_path, texts, encode):
    model2vec = pytest.importorskip("model2vec")
    from model2vec.model import quantize_model

    tokenizer = tiny.wordpiece()
    rows = np.random.default_rng(5).standard_normal((tokenizer.get_vocab_size(), 16))
    model = model2vec.StaticModel(rows.astype(np.float32), tokenizer, max_length=LIMIT)
    quantize_model(model, quantize_to=dtype).save_pretrained(tmp_path / "table")
    report = convert(tmp_path / "table", tmp_path / "bundle")
    if dtype == "float32":  # sentence-transformers opens it, and counts unknown tokens
        assert any("unknown tokens count" in note for note in report.notes)
        asked = [text for text in texts if tokenizer.token_to_id("[UNK]") not in
                 tokenizer.encode(text).ids]  # fmt: skip
    else:
        asked = list(texts)
    expected = model2vec.StaticModel.from_pretrained(tmp_path / "table").encode(asked[:-1])
    assert_equal(expected, encode(report.path, asked[:-1]))
