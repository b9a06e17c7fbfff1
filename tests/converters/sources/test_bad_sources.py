"""Sources that cannot be converted: the right error, in one line, naming the place."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    ConversionError,
    EdgeEmbedError,
    InputError,
    UnsupportedModelError,
)


@pytest.fixture
def plain(tiny, tmp_path):
    """A transformers directory to damage."""
    path = tmp_path / "plain-model"
    shutil.copytree(tiny.transformers("bert"), path)
    return path


@pytest.fixture
def sentence(tiny, tmp_path):
    """A sentence-transformers directory with a Dense layer, to damage."""
    path = tmp_path / "sentence-model"
    shutil.copytree(tiny.sentence("head-tanh", head=[{"out_features": 16}], normalize=True), path)
    return path


def refused(source, kind, *words, **options):
    """convert(source) raises exactly `kind`, in one line with all `words`, and writes nothing."""
    output = source.parent / "bundle"
    with pytest.raises(EdgeEmbedError) as caught:
        convert(source, output, **options)
    message = str(caught.value)
    assert type(caught.value) is kind, message
    assert "\n" not in message
    for word in words:
        assert word in message
    assert not output.exists()
    assert not list(source.parent.glob(".*"))


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# -- what is no model directory ------------------------------------------------------------------


def test_missing_directory(tmp_path):
    refused(tmp_path / "nothing", InputError, "nothing", "found nothing")


def test_file(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"x")
    refused(path, InputError, "model.bin", "found a file")


def test_empty_directory(tmp_path):
    path = tmp_path / "empty"
    path.mkdir()
    refused(path, UnsupportedModelError, "empty", "modules.json", "config.json")


# -- the configuration -----------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", ["martian", None])
def test_unknown_architecture(plain, model_type):
    (plain / "config.json").write_text(json.dumps({"model_type": model_type, "vocab_size": 10}))
    refused(plain, UnsupportedModelError, "plain-model")


def test_encoder_decoder(plain):
    from transformers import BartConfig

    BartConfig(d_model=32, encoder_layers=1, decoder_layers=1, vocab_size=100).save_pretrained(
        plain
    )
    refused(plain, UnsupportedModelError, "plain-model", "bart", "expected a text encoder")


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_config_that_is_no_json_object(plain, text):
    (plain / "config.json").write_text(text)
    refused(plain, ConversionError, "plain-model", "config.json")


# -- the weights -----------------------------------------------------------------------------------


def test_missing_weights(plain):
    (plain / "model.safetensors").unlink()
    refused(plain, ConversionError, "plain-model", "weights")


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_truncated_weights(plain, keep):
    path = plain / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    refused(plain, ConversionError, "plain-model", "could not load the weights")


def test_missing_backbone_weight(plain):
    path = plain / "model.safetensors"
    weights = load_file(path)
    name = "encoder.layer.0.attention.self.query.weight"
    del weights[name]
    save_file(weights, path, metadata={"format": "pt"})
    refused(plain, ConversionError, "plain-model", name, "1 weights are missing")


def test_weight_of_another_shape(plain):
    path = plain / "model.safetensors"
    weights = load_file(path)
    weights["encoder.layer.0.output.dense.weight"] = torch.zeros(3, 5)
    save_file(weights, path, metadata={"format": "pt"})
    refused(plain, ConversionError, "plain-model")


@pytest.mark.slow
def test_missing_pooler_is_no_loss(plain, tmp_path):
    path = plain / "model.safetensors"
    weights = load_file(path)
    kept = {name: tensor for name, tensor in weights.items() if "pooler" not in name}
    assert len(kept) < len(weights)
    save_file(kept, path, metadata={"format": "pt"})
    report = convert(plain, tmp_path / "bundle")
    with Encoder.load(report.path, verify="golden") as encoder:
        assert encoder.dim == 32


# -- the tokenizer ---------------------------------------------------------------------------------


def test_no_tokenizer(plain):
    for path in plain.glob("*token*"):
        path.unlink()
    refused(plain, ConversionError, "plain-model", "tokenizer")


@pytest.mark.parametrize("text", ["", "{}", '{"version": "1.0"}', "half"])
def test_damaged_tokenizer(plain, text):
    path = plain / "tokenizer.json"
    path.write_text(path.read_text()[:5000] if text == "half" else text)
    refused(plain, ConversionError, "plain-model", "tokenizer")


def test_tokenizer_of_another_model(plain):
    path = plain / "tokenizer.json"
    tree = json.loads(path.read_text())
    vocabulary = tree["model"]["vocab"]
    tree["model"]["vocab"] = {
        word: number if word.startswith("[") else number + 5000
        for word, number in vocabulary.items()
    }
    path.write_text(json.dumps(tree))
    refused(plain, ConversionError, "plain-model")


def test_length_that_holds_only_special_tokens(plain):
    refused(plain, InputError, "max_tokens", max_tokens=2)


@pytest.mark.parametrize("max_tokens", [0, -1])
def test_length_that_holds_nothing(plain, max_tokens):
    refused(plain, InputError, "max_tokens", max_tokens=max_tokens)


@pytest.mark.parametrize("limit", [8.5, 0])
def test_limit_that_is_no_number_of_tokens(plain, limit):
    edit(plain / "tokenizer_config.json", model_max_length=limit)
    refused(plain, ConversionError, "plain-model", "model_max_length", repr(limit))


def test_tokenizer_that_cannot_be_made_and_the_reason(plain):
    edit(plain / "tokenizer_config.json", truncation_side="middle")
    refused(plain, ConversionError, "could not load the tokenizer", "'right' and 'left'")


def test_model_that_describes_itself_before_it_says_what_is_wrong(plain):
    edit(plain / "config.json", add_cross_attention=True)
    refused(plain, ConversionError, "config.json describes: BertLayer(...)", "as a decoder")


def test_vectors_that_are_not_numbers(plain):
    edit(plain / "config.json", layer_norm_eps=-1.0)
    refused(plain, ConversionError, "plain-model", "NaN")


# -- sentence-transformers' own files --------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[1]", '[{"type": "x.Transformer"}]', '{"a": "b"}', "null"]
)
def test_broken_modules_json(sentence, text):
    (sentence / "modules.json").write_text(text)
    output = sentence.parent / "bundle"
    with pytest.raises(ConversionError, match="sentence-model") as caught:
        convert(sentence, output)
    assert "\n" not in str(caught.value)
    assert not output.exists()


@pytest.mark.parametrize("folder", ["../x", "a/../../x", "/x"])
def test_module_folder_that_leads_outside(sentence, folder):
    path = sentence / "modules.json"
    modules = json.loads(path.read_text())
    modules[1]["path"] = folder
    path.write_text(json.dumps(modules))
    refused(sentence, ConversionError, "modules.json", folder, "leads outside the model")


def test_module_of_a_newer_library(sentence):
    path = sentence / "modules.json"
    modules = json.loads(path.read_text())
    modules[3]["type"] = "sentence_transformers.base.modules.newer.Normalize"
    path.write_text(json.dumps(modules))
    words = ("newer.Normalize", "not in the sentence-transformers here")
    refused(sentence, UnsupportedModelError, "modules.json", *words)


def test_layer_of_another_shape_and_the_reason(sentence):
    edit(sentence / "2_Dense" / "config.json", bias=False)
    refused(sentence, ConversionError, "2_Dense", "linear.bias")


@pytest.mark.parametrize("kind", ["CNN", "LSTM", "WeightedLayerPooling", "Router"])
def test_unknown_module_kind(sentence, kind):
    path = sentence / "modules.json"
    modules = json.loads(path.read_text())
    modules[2]["type"] = f"sentence_transformers.models.{kind}"
    path.write_text(json.dumps(modules))
    refused(sentence, UnsupportedModelError, "sentence-model", kind)


def test_modules_without_pooling(sentence):
    path = sentence / "modules.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:1]))
    refused(sentence, UnsupportedModelError, "sentence-model", "found Transformer")


def test_pooling_without_the_prompt(sentence):
    edit(sentence / "1_Pooling" / "config.json", include_prompt=False)
    refused(sentence, UnsupportedModelError, "1_Pooling", "include_prompt=false")


@pytest.mark.parametrize("mode", ["median", ["mean", "median"]])
def test_unknown_pooling(sentence, mode):
    edit(sentence / "1_Pooling" / "config.json", pooling_mode=mode)
    refused(sentence, UnsupportedModelError, "1_Pooling", "median")


def test_token_level_dense(sentence):
    edit(sentence / "2_Dense" / "config.json", module_input_name="token_embeddings")
    refused(sentence, UnsupportedModelError, "2_Dense", "module_input_name")


@pytest.mark.parametrize("key", ["in_features", "out_features"])
@pytest.mark.parametrize("value", [None, 7, "wide"])
def test_dense_of_another_width(sentence, key, value):
    edit(sentence / "2_Dense" / "config.json", **{key: value})
    refused(sentence, ConversionError, "2_Dense")


def test_dense_without_config(sentence):
    (sentence / "2_Dense" / "config.json").unlink()
    refused(sentence, ConversionError, "2_Dense")


def test_dense_with_other_weights(sentence):
    save_file({"something.else": torch.zeros(2, 2)}, sentence / "2_Dense" / "model.safetensors")
    refused(sentence, ConversionError, "2_Dense")


def test_dense_without_weights(sentence):
    (sentence / "2_Dense" / "model.safetensors").unlink()
    refused(sentence, ConversionError, "2_Dense", "could not load the weights")


class Payload:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return (print, ("code of the model ran",))


@pytest.mark.parametrize("damage", ["code", "cut", "garbage", "empty"])
def test_dense_weights_as_pickle_run_no_code(sentence, damage, capfd):
    folder = sentence / "2_Dense"
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save(weights if damage != "code" else {"linear.weight": Payload()}, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage in ("garbage", "empty"):
        path.write_bytes(b"garbage" * 50 if damage == "garbage" else b"")
    refused(sentence, ConversionError, "2_Dense", "could not load the weights")
    assert "code of the model ran" not in capfd.readouterr().out


@pytest.mark.slow
def test_dense_weights_as_pickle_are_read(sentence, tiny, tmp_path, encode, reference, texts):
    folder = sentence / "2_Dense"
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    report = convert(sentence, tmp_path / "bundle")
    expected = reference(sentence).encode(list(texts))
    assert abs((expected * encode(report.path, texts)).sum(1) - 1).max() < 1e-5


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config_sentence_transformers.json", {"similarity_fn_name": "hamming"}),
        ("config_sentence_transformers.json", {"prompts": ["query: "]}),
        ("config_sentence_transformers.json", {"prompts": {"query": 5}}),
        ("sentence_bert_config.json", {"max_seq_length": "long"}),
        ("sentence_bert_config.json", {"max_seq_length": -5}),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value),
)
def test_settings_of_a_wrong_kind(sentence, file, changes):
    path = sentence / file
    tree = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**tree, **changes}))
    output = sentence.parent / "bundle"
    with pytest.raises(ConversionError, match="sentence-model") as caught:
        convert(sentence, output)
    assert "\n" not in str(caught.value)
    assert not output.exists()


def test_a_prompt_without_a_bound(sentence):
    edit(sentence / "config_sentence_transformers.json", prompts={"query": "q" * 50_000_000})
    refused(sentence, ConversionError, "'query': expected at most 10,000 characters, got 50,0")


def test_settings_that_are_no_json(sentence):
    (sentence / "config_sentence_transformers.json").write_text("{")
    refused(sentence, ConversionError, "config_sentence_transformers.json")


def test_remote_code_is_not_run(plain, tmp_path):
    trace = tmp_path / "code-ran"
    edit(
        plain / "config.json",
        model_type="foreign",
        auto_map={"AutoConfig": "foreign.Config", "AutoModel": "foreign.Model"},
    )
    (plain / "foreign.py").write_text(f"open({str(trace)!r}, 'w').close()\n")
    refused(plain, UnsupportedModelError, "plain-model")
    assert not trace.exists()
