"""Every setting is read, known not to matter, or named."""

import json
import shutil

import pytest

transformers = pytest.importorskip("transformers")
from edgeembed_converters.model_files.unread_settings import unread_settings  # noqa: E402
from helpers.settings import ordinary_settings  # noqa: E402

FIVE = int(transformers.__version__.partition(".")[0]) >= 5


def unread(path, settings, tokenizer_class="PreTrainedTokenizerFast", **files):
    """The unread settings of a directory with a config.json, without making the model."""
    (path / "config.json").write_text(json.dumps(settings))
    for name, tree in files.items():
        (path / f"{name}.json").write_text(json.dumps(tree))
    config = transformers.AutoConfig.from_pretrained(path, local_files_only=True)
    tokenizer = object.__new__(getattr(transformers, tokenizer_class))
    model_class = transformers.MODEL_MAPPING[type(config)]
    return unread_settings(
        path, config=config, model_class=model_class, tokenizer=tokenizer, modules=()
    )


@pytest.mark.parametrize("name", ordinary_settings.MODELS)
def test_ordinary_models_have_no_unread_settings(name, tmp_path):
    assert unread(tmp_path, ordinary_settings.MODELS[name]) == ()


@pytest.mark.parametrize("name", ordinary_settings.TOKENIZERS)
def test_ordinary_tokenizers_have_no_unread_settings(name, tmp_path):
    settings = ordinary_settings.TOKENIZERS[name]
    bert = ordinary_settings.MODELS["bert-base-uncased"]
    assert unread(tmp_path, bert, name, tokenizer_config=settings) == ()


@pytest.mark.parametrize(
    ("model", "key", "value"),
    [
        ("bert-base-uncased", "rope_theta", 10000.0),
        ("bert-base-uncased", "rope_parameters", {"rope_theta": 50.0}),
        ("bert-base-uncased", "sliding_window", 128),
        ("bert-base-uncased", "attention_temperature", 2),
        ("roberta-base", "normalize_before", True),
        ("distilbert-base-uncased", "is_causal", True),
        ("all-mpnet-base-v2", "position_embedding_type", "relative_key"),
        ("Qwen3-Embedding-0.6B", "use_bidirectional_attention", True),
        ("e5-mistral-7b-instruct", "attention_kind", "bidirectional"),
    ],
)
def test_a_setting_that_nothing_reads_is_named(model, key, value, tmp_path):
    found = unread(tmp_path, {**ordinary_settings.MODELS[model], key: value})
    assert found == (f"config.json: {key} = {json.dumps(value)}",)


def test_settings_that_only_one_version_reads(tmp_path):
    """Transformers 4 has relative_key, and no is_causal; 5 the other way round."""
    bert = {
        **ordinary_settings.MODELS["bert-base-uncased"],
        "position_embedding_type": "relative_key",
    }
    named = ('config.json: position_embedding_type = "relative_key"',)
    assert unread(tmp_path, bert) == (named if FIVE else ())
    qwen = {**ordinary_settings.MODELS["Qwen3-Embedding-0.6B"], "is_causal": False}
    assert unread(tmp_path, qwen) == (() if FIVE else ("config.json: is_causal = false",))


@pytest.mark.parametrize("theta", [10000.0, 777.0])
def test_angles_as_transformers_5_writes_them(theta, tmp_path):
    """Transformers 4 does not read them: only where they are its own default is nothing lost."""
    qwen = {
        k: v for k, v in ordinary_settings.MODELS["Qwen3-Embedding-0.6B"].items() if "rope" not in k
    }
    qwen["rope_parameters"] = {"rope_theta": theta, "rope_type": "default"}
    found = unread(tmp_path, qwen)
    assert (found == ()) == (FIVE or theta == 10000.0), found


def test_an_unknown_key_of_the_angles_is_named(tmp_path):
    key = "rope_parameters" if FIVE else "rope_scaling"
    qwen = {**ordinary_settings.MODELS["Qwen3-Embedding-0.6B"]}
    qwen |= {key: {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4, "warp": 3}}
    assert unread(tmp_path, qwen) == (f"config.json: {key}: warp = 3",)


def test_settings_of_the_tokenizer_that_nothing_reads_are_named(tmp_path):
    bert = ordinary_settings.MODELS["bert-base-uncased"]
    found = unread(tmp_path, bert, tokenizer_config={"reverse": True, "max_length": 8})
    assert found == ("tokenizer_config.json: reverse = true",)


@pytest.mark.parametrize("lower", [True, False])
def test_a_setting_that_the_normalizer_has_anyway(lower, tiny):
    path = tiny.transformers("bert" if lower else "bert-cased")
    config = transformers.AutoConfig.from_pretrained(path)
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(path)
    copy = shutil.copytree(path, tiny.new_path("normalizer"))
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**settings, "do_lower_case": True}))
    found = unread_settings(
        copy, config=config, model_class=transformers.BertModel, tokenizer=tokenizer, modules=()
    )
    assert found == (() if lower else ("tokenizer_config.json: do_lower_case = true",))
