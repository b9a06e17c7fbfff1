"""What transformers reports and raises while it loads a model, in our own words."""

import json
import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

transformers = pytest.importorskip("transformers")
from edgeembed_converters.model_files.loading_errors import loading_error  # noqa: E402
from edgeembed_converters.model_files.loading_info import refuse_loading_info  # noqa: E402
from edgeembed_runtime.errors import (  # noqa: E402
    ConversionError,
    MissingExtraError,
    UnsupportedModelError,
)

FIVE = int(transformers.__version__.partition(".")[0]) >= 5
_TINY = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_CONFIGS = {
    "bert": {},
    "roberta": {},
    "xlm-roberta": {},
    "camembert": {},
    "mpnet": {},
    "albert": {"embedding_size": 8},
    "electra": {"embedding_size": 8},
    "deberta-v2": {},
    "distilbert": {"dim": 16, "n_heads": 2, "n_layers": 1, "hidden_dim": 16},
    "modernbert": {},
    "gpt2": {"n_embd": 16, "n_head": 2, "n_layer": 1, "n_positions": 16},
    "qwen3": {"head_dim": 8, "num_key_value_heads": 1},
    "llama": {"num_key_value_heads": 1},
    "mistral": {"num_key_value_heads": 1},
    "gemma3_text": {"head_dim": 8, "num_key_value_heads": 1},
    "ernie": {},
    "nomic_bert": {},
    "convbert": {},
    "funnel": {"num_hidden_layers": None, "block_sizes": [1], "d_model": 16, "n_head": 2},
    "squeezebert": {"embedding_size": 16},
    "xlm": {"emb_dim": 16, "n_layers": 1, "n_heads": 2},
    "roformer": {},
}
_LOST = {
    ("funnel", "AutoModelForSequenceClassification"),  # it has no decoder
    ("qwen3", "AutoModelForQuestionAnswering"),
    ("llama", "AutoModelForQuestionAnswering"),
    "gemma3_text",
}
_HEADS = (
    "AutoModelForMaskedLM",
    "AutoModelForPreTraining",
    "AutoModelForCausalLM",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoModelForQuestionAnswering",
)


@pytest.fixture
def plain(tiny, tmp_path):
    return shutil.copytree(tiny.transformers("bert"), tmp_path / "plain-model")


def loaded(path, model_class=transformers.AutoModel):
    return model_class.from_pretrained(path, local_files_only=True, output_loading_info=True)[1]


def with_weights(path, **weights):
    present = load_file(path / "model.safetensors")
    save_file({**present, **weights}, path / "model.safetensors", metadata={"format": "pt"})


def error_of(path, load):
    with pytest.raises(Exception) as caught:
        load(path)
    error = loading_error(path, caught.value)
    assert "\n" not in str(error)
    assert str(error).startswith(str(path))
    return error


# -- what was found and used -----------------------------------------------------------------------


@pytest.mark.parametrize("head", _HEADS)
@pytest.mark.parametrize("kind", _CONFIGS)
def test_heads_of_other_tasks_are_no_loss(kind, head, tmp_path):
    if kind not in transformers.CONFIG_MAPPING:
        pytest.skip(f"transformers {transformers.__version__} has no {kind}")
    if (kind, head) in _LOST or (kind in _LOST and not FIVE):
        pytest.skip("transformers itself does not find the layers under their names")
    options = {**_TINY, **_CONFIGS[kind]}
    options = {name: value for name, value in options.items() if value is not None}
    config = transformers.AutoConfig.for_model(kind, **options)
    try:
        model = getattr(transformers, head).from_config(config)
    except ValueError:
        pytest.skip(f"{kind} has no {head}")
    model.save_pretrained(tmp_path)
    refuse_loading_info(tmp_path, loaded(tmp_path))


def test_the_decoder_of_an_encoder_decoder_is_no_loss(tmp_path):
    config = transformers.T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, pad_token_id=0,
        decoder_start_token_id=0,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    refuse_loading_info(tmp_path, loaded(tmp_path, transformers.T5EncoderModel))
    refuse_loading_info(tmp_path, {"unexpected_keys": ["decoder.block.0.layer.0.weight"]})


def test_attention_that_this_version_lost(plain):
    """BERT's relative_key has weights that transformers 5 does not use any more."""
    table = torch.randn(127, 16)
    with_weights(plain, **{"encoder.layer.0.attention.self.distance_embedding.weight": table})
    with pytest.raises(UnsupportedModelError, match="distance_embedding") as caught:
        refuse_loading_info(plain, loaded(plain))
    assert transformers.__version__ in str(caught.value)
    config = json.loads((plain / "config.json").read_text())
    (plain / "config.json").write_text(
        json.dumps({**config, "position_embedding_type": "relative_key"})
    )
    if not FIVE:
        refuse_loading_info(plain, loaded(plain))


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layer.0.attention.self.query.lora_A.weight",
        "linear.weight",
        "encoder.layer.7.output.dense.weight",
        "embeddings.extra.weight",
    ],
)
def test_weights_that_nothing_uses(plain, name):
    with_weights(plain, **{name: torch.zeros(4, 4)})
    with pytest.raises(UnsupportedModelError, match=name.replace(".", r"\.")):
        refuse_loading_info(plain, loaded(plain))


def test_weights_that_are_missing(plain):
    weights = load_file(plain / "model.safetensors")
    name = "encoder.layer.0.attention.self.query.weight"
    kept = {key: value for key, value in weights.items() if key != name and "pooler" not in key}
    save_file(kept, plain / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConversionError, match=rf"1 weights are missing .*{name}"):
        refuse_loading_info(plain, loaded(plain))


@pytest.mark.parametrize(
    "info",
    [
        {"mismatched_keys": [("a.weight", (1,), (2,))]},
        {"mismatched_keys": {("a.weight", (1,), (2,))}},
        {"error_msgs": ["size mismatch for a.weight:\n more"]},
    ],
)
def test_weights_of_other_shapes(plain, info):
    with pytest.raises(ConversionError, match=r"a\.weight") as caught:
        refuse_loading_info(plain, info)
    assert "\n" not in str(caught.value)


# -- what libraries raise --------------------------------------------------------------------------


def model(path):
    return transformers.AutoModel.from_pretrained(path, local_files_only=True)


def tokenizer(path):
    return transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)


class _Payload:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def test_a_pickle_runs_nothing(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (plain / "model.safetensors").unlink()
    torch.save({"weight": _Payload()}, plain / "pytorch_model.bin")
    error = error_of(plain, model)
    assert type(error) is ConversionError
    assert "could not load the weights" in str(error)
    (plain / "pytorch_model.bin").write_bytes(pickle.dumps(_Payload()))
    assert type(error_of(plain, model)) is ConversionError
    assert not (tmp_path / "made-by-a-pickle").exists()


def test_weights_of_another_shape(plain):
    with_weights(plain, **{"encoder.layer.0.output.dense.weight": torch.zeros(3, 5)})
    assert type(error_of(plain, model)) is ConversionError


def test_an_unknown_architecture(plain):
    (plain / "config.json").write_text(json.dumps({"model_type": "martian", "vocab_size": 10}))
    error = error_of(plain, model)
    assert type(error) is UnsupportedModelError
    assert transformers.__version__ in str(error)


@pytest.mark.parametrize("text", ["", "{}", '{"version": "1.0"}', "[" * 100_000])
def test_a_damaged_tokenizer(plain, text):
    (plain / "tokenizer.json").write_text(text)
    error = error_of(plain, tokenizer)
    assert type(error) is ConversionError


def test_packages_that_code_of_the_model_imports(plain):
    code = "import einops_absent\nfrom transformers import BertModel as Own\n"
    (plain / "modeling_own.py").write_text(code)
    config = json.loads((plain / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_own.Own"}
    (plain / "config.json").write_text(json.dumps(config))

    def load(path):
        return transformers.AutoModel.from_pretrained(
            path, local_files_only=True, trust_remote_code=True
        )

    error = error_of(plain, load)
    assert type(error) is MissingExtraError
    assert str(error).endswith("Run: pip install einops_absent")


@pytest.mark.parametrize(
    ("error", "package"),
    [
        (
            ModuleNotFoundError("No module named 'google.protobuf'", name="google.protobuf"),
            "protobuf",
        ),
        (
            ImportError("\nX requires the SentencePiece library but it was not found"),
            "sentencepiece",
        ),
        (ImportError("requires the protobuf library but it was not found in"), "protobuf"),
        (
            ValueError("`tiktoken` is required to read a `tiktoken` file. Install: not installed"),
            "tiktoken",
        ),
        (ImportError("Loading a PEFT model requires `peft`. `pip install peft`."), "peft"),
    ],
)
def test_packages_that_libraries_ask_for(tmp_path, error, package):
    found = loading_error(tmp_path, error)
    assert type(found) is MissingExtraError
    assert str(found).endswith(f"Run: pip install {package}")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ImportError("cannot import name 'old' from 'transformers'"), UnsupportedModelError),
        (RecursionError("maximum recursion depth exceeded"), ConversionError),
        (MemoryError(), ConversionError),
        (KeyError("hidden_size"), ConversionError),
        (pickle.UnpicklingError("Weights only load failed\nmore"), ConversionError),
        (ValueError("x requires you to execute the configuration file"), UnsupportedModelError),
    ],
)
def test_other_errors(tmp_path, error, kind):
    found = loading_error(tmp_path, error)
    assert type(found) is kind
    assert "\n" not in str(found)
