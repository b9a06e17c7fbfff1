"""What a model's files tell: refused in one line, before any library has loaded them."""

import json
import shutil
import sys
import time
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgeembed_converters.model_files.before_loading import check_before_loading
from edgeembed_converters.model_files.files import card_files
from edgeembed_runtime.errors import (
    ConversionError,
    EdgeEmbedError,
    MissingExtraError,
    UnsupportedModelError,
)


@pytest.fixture
def plain(tiny, tmp_path):
    """A transformers directory to damage."""
    return shutil.copytree(tiny.transformers("bert"), tmp_path / "plain-model")


@pytest.fixture
def sentence(tiny, tmp_path):
    """A sentence-transformers directory with a Dense layer, to damage."""
    made = tiny.sentence("checked", head=[{"out_features": 16}], normalize=True)
    return shutil.copytree(made, tmp_path / "sentence-model")


def check(path, trust_remote_code=False, pooling_given=False):
    check_before_loading(path, trust_remote_code=trust_remote_code, pooling_given=pooling_given)


def refused(path, kind, *words, **options):
    """The check raises exactly `kind`, at once, in one line with all `words`."""
    began = time.monotonic()
    with pytest.raises(EdgeEmbedError) as caught:
        check(path, **options)
    assert time.monotonic() - began < 1
    message = str(caught.value)
    assert type(caught.value) is kind, message
    assert "\n" not in message
    for word in words:
        assert word in message


def edit(path, **changes):
    tree = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**tree, **changes}))


def with_type(path, number, kind):
    modules = json.loads((path / "modules.json").read_text())
    modules[number]["type"] = kind
    (path / "modules.json").write_text(json.dumps(modules))


def test_sound_models_pass(plain, sentence):
    check(plain)
    check(sentence)


# -- JSON ------------------------------------------------------------------------------------------

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "text", [b"{", b"[1]", b"", b"\xff\xfe{}", b'{"a": "\xe9"}', DEEP.encode()]
)
@pytest.mark.parametrize(
    "file",
    ["config.json", "tokenizer_config.json", "special_tokens_map.json", "1_Pooling/config.json"],
)
def test_json_that_is_no_object(sentence, file, text):
    (sentence / file).write_bytes(text)
    refused(sentence, ConversionError, file, "expected")


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "[1]", '[{"type": "x"}]', "null", DEEP])
def test_broken_list_of_modules(sentence, text):
    (sentence / "modules.json").write_text(text)
    refused(sentence, ConversionError, "modules.json", "expected")


# -- half of a model -------------------------------------------------------------------------------


@pytest.mark.parametrize("emptied", [True, False])
@pytest.mark.parametrize("folder", ["1_Pooling", "2_Dense"])
def test_module_folder_that_is_absent_or_empty(sentence, folder, emptied):
    shutil.rmtree(sentence / folder)
    if emptied:
        (sentence / folder).mkdir()
    refused(sentence, ConversionError, folder, "download the model again")


def test_normalize_needs_no_folder(sentence):
    shutil.rmtree(sentence / "3_Normalize", ignore_errors=True)
    check(sentence)


def test_dense_without_weights(sentence):
    (sentence / "2_Dense" / "model.safetensors").unlink()
    refused(sentence, ConversionError, "2_Dense", "could not load the weights")


def test_parts_without_their_list(sentence):
    (sentence / "modules.json").unlink()
    refused(sentence, ConversionError, "1_Pooling", "modules.json", pooling_given=True)


def test_absent_shards(tiny, tmp_path):
    from transformers import AutoModel

    path = tmp_path / "shards"
    model = AutoModel.from_pretrained(tiny.transformers("bert"))
    model.save_pretrained(path, max_shard_size="20KB")
    check(path)
    shards = sorted(path.glob("model-*.safetensors"))
    assert len(shards) > 2
    shards[1].unlink()
    refused(path, ConversionError, shards[1].name, f"1 of {len(shards)} weight files")


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.99])
def test_truncated_weights(plain, keep):
    path = plain / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    refused(plain, ConversionError, "model.safetensors", "could not load the weights")


@pytest.mark.parametrize("keep", [0, 0.5])
def test_truncated_pickle(plain, keep):
    torch.save(load_file(plain / "model.safetensors"), plain / "pytorch_model.bin")
    (plain / "model.safetensors").unlink()
    check(plain)
    data = (plain / "pytorch_model.bin").read_bytes()
    (plain / "pytorch_model.bin").write_bytes(data[: int(len(data) * keep)])
    refused(plain, ConversionError, "pytorch_model.bin", "could not load the weights")


@pytest.mark.parametrize(
    "file", ["model.safetensors", "config.json", "tokenizer.json", "vocab.txt"]
)
def test_pointers_of_git_lfs(plain, file):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:53aa\nsize 90868376\n"
    (plain / file).write_text(text)
    refused(plain, ConversionError, file, "git lfs pull")


def test_a_tokenizer_of_another_model_with_as_many_tokens(plain):
    vocabulary = json.loads((plain / "tokenizer.json").read_text())["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    (plain / "vocab.txt").write_text("\n".join(words))
    check(plain)
    (plain / "vocab.txt").write_text("\n".join(reversed(words)))
    refused(plain, ConversionError, "vocab.txt", "tokenizer.json", "another model's")


@pytest.mark.parametrize("limit", ["long", -5, 0, 2.5, True])
def test_limits_that_are_no_number(sentence, limit):
    edit(sentence / "sentence_bert_config.json", max_seq_length=limit)
    refused(sentence, ConversionError, "sentence_bert_config.json", "max_seq_length")


@pytest.mark.parametrize("limit", ["8", [8], True])
def test_a_limit_of_the_tokenizer_that_is_no_number(plain, limit):
    edit(plain / "tokenizer_config.json", model_max_length=limit)
    refused(plain, ConversionError, "tokenizer_config.json", "model_max_length")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prompts", None),
        ("prompts", ["query"]),
        ("prompts", {"query": 3}),
        ("default_prompt_name", "unknown"),
        ("default_prompt_name", ["query"]),
        ("truncate_dim", 0),
        ("truncate_dim", 8.0),
        ("truncate_dim", [4]),
    ],
)
def test_prompts_and_dimensions_that_cannot_be(sentence, key, value):
    edit(sentence / "config_sentence_transformers.json", **{key: value})
    refused(sentence, ConversionError, "config_sentence_transformers.json", key)


# -- links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", ["LICENSE", "NOTICE.txt", "README.md", "config.json", "model.safetensors", "vocab.txt"]
)
def test_links_that_lead_out(plain, tmp_path, file):
    private = tmp_path / "private"
    private.write_text("secret")
    (plain / file).unlink(missing_ok=True)
    (plain / file).symlink_to(private)
    refused(plain, ConversionError, file, "leads out of the model's directory")
    assert card_files(plain) == {}


def test_module_folder_that_is_a_link(sentence, tmp_path):
    shutil.move(sentence / "1_Pooling", tmp_path / "elsewhere")
    (sentence / "1_Pooling").symlink_to(tmp_path / "elsewhere")
    refused(sentence, ConversionError, "1_Pooling", "leads out of the model's directory")


def test_a_snapshot_of_the_hubs_cache_is_made_of_links(sentence, tmp_path):
    cache = tmp_path / "models--someone--model"
    (cache / "blobs").mkdir(parents=True)
    snapshot = cache / "snapshots" / "0a1b"
    (sentence / "LICENSE").write_text("free")
    for number, path in enumerate(sorted(p for p in sentence.rglob("*") if p.is_file())):
        link = snapshot / path.relative_to(sentence)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, cache / "blobs" / str(number))
        link.symlink_to(cache / "blobs" / str(number))
    check(snapshot)
    assert set(card_files(snapshot)) == {"LICENSE"}
    (cache / "blobs" / "0").unlink()
    refused(snapshot, ConversionError, "a link to a file that is not there")


# -- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 1_000_000),
        ("num_hidden_layers", 300),
        ("num_hidden_layers", -1),
        ("num_hidden_layers", "two"),
        ("num_attention_heads", 0),
        ("num_attention_heads", 5),
        ("hidden_size", 0),
        ("hidden_size", 1_000_000),
        ("intermediate_size", 10**12),
        ("vocab_size", 10**10),
        ("type_vocab_size", 10**10),
        ("max_position_embeddings", 10**8),
        ("num_labels", 10**9),
        ("num_experts", 10**9),
    ],
)
def test_sizes_that_cannot_be(plain, key, value):
    edit(plain / "config.json", **{key: value})
    refused(plain, ConversionError, "config.json")


def test_layers_that_are_run_many_times_are_no_contradiction(plain):
    edit(plain / "config.json", model_type="albert", num_hidden_layers=300, num_hidden_groups=1)
    check(plain)


# -- other kinds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [("BertForMaskedLM", "masked language model"), ("BertForPreTraining", "pretrained language")],
)
def test_masked_language_models_ask_for_a_pooling(plain, name, words):
    edit(plain / "config.json", architectures=[name])
    refused(plain, UnsupportedModelError, name, words, "pass pooling='mean'")
    check(plain, pooling_given=True)


def test_sentence_transformers_of_a_masked_language_model_are_none(sentence):
    edit(sentence / "config.json", architectures=["BertForMaskedLM"])
    check(sentence)


def test_causal_language_models_pass(plain):
    edit(plain / "config.json", architectures=["Qwen3ForCausalLM"])
    check(plain)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["XLMRobertaForSequenceClassification"]}, "cross-encoder"),
        ({"sbert_ce_default_activation_function": "torch.nn.Sigmoid"}, "cross-encoder"),
        ({"sentence_transformers": {"version": "4.0", "activation_fn": "x"}}, "cross-encoder"),
        ({"architectures": ["HF_ColBERT"]}, "ColBERT"),
        ({"model_type": "dpr"}, "DPR"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "encoder-decoder"),
    ],
)
def test_other_kinds_are_named(plain, changes, words):
    edit(plain / "config.json", **changes)
    refused(plain, UnsupportedModelError, words, pooling_given=True)


@pytest.mark.parametrize("name", ["BertForTokenClassification", "BertForQuestionAnswering"])
def test_heads_of_other_tasks_are_named(plain, name):
    edit(plain / "config.json", architectures=[name])
    refused(plain, UnsupportedModelError, name)


@pytest.mark.parametrize("name", ["t5", "mt5", "umt5"])
def test_encoders_of_encoder_decoders_pass(plain, name):
    edit(plain / "config.json", model_type=name, is_encoder_decoder=True)
    check(plain)


@pytest.mark.parametrize(
    ("model_type", "words"),
    [("SparseEncoder", "SPLADE"), ("CrossEncoder", "pairs"), ("ColBERT", "every token")],
)
def test_what_sentence_transformers_saved_as_another_kind(sentence, model_type, words):
    edit(sentence / "config_sentence_transformers.json", model_type=model_type)
    refused(sentence, UnsupportedModelError, words)


def test_models_that_sentence_transformers_saves_itself(tiny, tmp_path):
    from sentence_transformers import CrossEncoder, SparseEncoder

    source = tiny.transformers("bert")
    for make, words in ((CrossEncoder, "cross-encoder"), (SparseEncoder, "SPLADE")):
        path = tmp_path / make.__name__
        make(str(source), device="cpu", local_files_only=True).save_pretrained(str(path))
        refused(path, UnsupportedModelError, words)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sentence_transformers.sparse_encoder.modules.SpladePooling", "SPLADE"),
        ("sentence_transformers.sparse_encoder.models.SpladePooling", "SPLADE"),
        ("sentence_transformers.cross_encoder.modules.LogitScore", "cross-encoder"),
        ("pylate.models.Dense.Dense", "ColBERT"),
    ],
)
def test_modules_of_another_kind(sentence, kind, words):
    with_type(sentence, 1, kind)
    refused(sentence, UnsupportedModelError, words)


def test_settings_of_colbert(plain):
    (plain / "artifact.metadata").write_text("{}")
    refused(plain, UnsupportedModelError, "ColBERT")


# -- code, adapters, quantization ------------------------------------------------------------------


@pytest.mark.parametrize("auto", ["AutoModel", "AutoConfig"])
def test_code_of_the_model_is_not_trusted(plain, auto):
    edit(plain / "config.json", auto_map={auto: "modeling_bi.BiModel"})
    words = ("config.json", auto, "modeling_bi.BiModel", "trust_remote_code=True", "auto_map")
    refused(plain, UnsupportedModelError, *words)
    refused(plain, ConversionError, "no modeling_bi.py", trust_remote_code=True)
    (plain / "modeling_bi.py").write_text("")
    check(plain, trust_remote_code=True)


def test_code_of_the_tokenizer_is_not_trusted(plain):
    edit(plain / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.Slow", None]})
    refused(plain, UnsupportedModelError, "tokenizer_config.json", "own.Slow")


def test_code_of_a_head_is_none_of_the_encoder(plain):
    edit(plain / "config.json", auto_map={"AutoModelForCausalLM": "modeling_bi.BiModel"})
    check(plain)


def test_modules_of_the_models_own_package(sentence):
    with_type(sentence, 0, "custom_st.Transformer")
    words = ("modules.json", "custom_st.Transformer", "custom_st.py", "trust_remote_code=True")
    refused(sentence, UnsupportedModelError, *words)
    (sentence / "custom_st.py").write_text("")
    check(sentence, trust_remote_code=True)


@pytest.mark.parametrize("alone", [True, False])
def test_adapter_without_peft(plain, alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    edit(plain / "adapter_config.json", peft_type="LORA", base_model_name_or_path="x")
    if alone:
        (plain / "config.json").unlink()
    refused(plain, MissingExtraError, "adapter_config.json", "pip install peft")


@pytest.mark.parametrize(
    ("name", "content", "package"),
    [
        ("spm.model", b"\n\x0e\n\x05<unk>", "sentencepiece"),
        ("sentencepiece.bpe.model", b"\n\x0e\n\x05<unk>", "sentencepiece"),
        ("tokenizer.model", b"IQ== 0", "tiktoken"),
    ],
)
def test_vocabularies_without_their_package(plain, name, content, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    (plain / name).write_bytes(content)
    check(plain)
    (plain / "tokenizer.json").unlink()
    refused(plain, MissingExtraError, name, f"pip install {package}")


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes"])
def test_quantized_weights_without_their_package(plain, method):
    edit(plain / "config.json", quantization_config={"quant_method": method, "bits": 4})
    refused(plain, MissingExtraError, method, "pip install")


def test_quantized_weights_of_an_unknown_kind(plain):
    edit(plain / "config.json", quantization_config={"quant_method": "new"})
    refused(plain, UnsupportedModelError, "'new'")


def test_weights_alone_make_no_list_of_tensors(plain):
    """An archive of torch tells how many tensors it holds, without being loaded."""
    torch.save(load_file(plain / "model.safetensors"), plain / "pytorch_model.bin")
    assert zipfile.is_zipfile(plain / "pytorch_model.bin")
    (plain / "model.safetensors").unlink()
    edit(plain / "config.json", num_hidden_layers=900)
    refused(plain, ConversionError, "900 layers")


def test_a_header_that_lies(plain):
    save_file({"a": torch.zeros(4)}, plain / "model.safetensors", metadata={"format": "pt"})
    data = (plain / "model.safetensors").read_bytes().replace(b"[4]", b"[9]")
    (plain / "model.safetensors").write_bytes(data[:-4])
    refused(plain, ConversionError, "could not load the weights")
