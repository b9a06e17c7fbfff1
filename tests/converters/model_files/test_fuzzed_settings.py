"""Changed settings: a bundle equals what sentence-transformers makes of them, or is refused.

`EDGEEMBED_FUZZED_SETTINGS=500` tries that many; a few are part of every run.
"""

import json
import os
import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from edgeembed import Encoder, convert
from edgeembed_runtime.errors import EdgeEmbedError
from helpers import ordinary_settings
from helpers.model_zoo import TEXTS

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("EDGEEMBED_FUZZED_SETTINGS", "8"))
KINDS = (
    "bert",
    "roberta",
    "distilbert",
    "mpnet",
    "xlm-roberta",
    "modernbert",
    "plain-bert",
    "qwen3",
)
# Keys that have meant another model, by the file that they stand in.
_TEMPTING = {
    "config.json": {
        "is_causal": [True, False],
        "is_decoder": [True, False],
        "position_embedding_type": ["relative_key", "relative_key_query", "absolute", "rotary"],
        "use_bidirectional_attention": [True, False],
        "rope_theta": [10000.0, 500.0],
        "rope_scaling": [
            {"rope_type": "linear", "factor": 4.0},
            {"type": "dynamic", "factor": 2.0},
        ],
        "rope_parameters": [{"rope_type": "default", "rope_theta": 50.0}],
        "sliding_window": [4, None],
        "use_sliding_window": [True],
        "layer_types": [["full_attention"]],
        "hidden_act": ["relu", "gelu", "silu", "gelu_new"],
        "layer_norm_eps": [0.1],
        "rms_norm_eps": [0.1],
        "attention_bias": [True],
        "torch_dtype": ["float16", "bfloat16"],
        "pruned_heads": [{"0": [0]}],
        "chunk_size_feed_forward": [2],
        "local_attention": [2],
        "type_vocab_size": [1, 3],
        "pad_token_id": [0, 3, None],
        "scale_embeddings": [True],
        "tie_word_embeddings": [True, False],
        "output_hidden_states": [True],
        "return_dict": [False],
        "max_position_embeddings": [16, 32, 100],
        "architectures": [["BertForMaskedLM"], ["Qwen3ForCausalLM"], None],
        "auto_map": [{"AutoModel": "own.Model"}],
    },
    "tokenizer_config.json": {
        "truncation_side": ["left", "right"],
        "padding_side": ["left", "right"],
        "model_max_length": [8, 100, 1e30],
        "do_lower_case": [True, False],
        "strip_accents": [True, False],
        "tokenize_chinese_chars": [False],
        "add_prefix_space": [True, False],
        "add_bos_token": [True, False],
        "add_eos_token": [True, False],
        "split_special_tokens": [True],
        "max_length": [4],
        "pad_to_multiple_of": [8],
        "cls_token": ["[SEP]", "the"],
        "additional_special_tokens": [["the", "[NEW]"]],
        "tokenizer_class": ["BertTokenizer", "RobertaTokenizer", "GPT2Tokenizer"],
        "chat_template": ["{{ messages[0]['content'] }}"],
    },
    "sentence_bert_config.json": {
        "max_seq_length": [4, 8, None, 1000],
        "do_lower_case": [True, False],
        "config_args": [{"num_hidden_layers": 1}, {"hidden_act": "relu"}],
        "tokenizer_args": [{"truncation_side": "left"}, {"model_max_length": 6}],
        "processing_kwargs": [{"text": {"max_length": 5}}, {"text": {"add_special_tokens": False}}],
        "query_length": [4],
    },
    "config_sentence_transformers.json": {
        "prompts": [{"query": "q: ", "document": "d: "}, {"query": None}],
        "default_prompt_name": ["query", "none", None],
        "similarity_fn_name": ["dot", "euclidean", "maxsim", None],
        "truncate_dim": [4, 8],
        "model_type": ["SparseEncoder", "SentenceTransformer"],
    },
    "1_Pooling/config.json": {
        "pooling_mode": ["cls", "max", "mean", "lasttoken", "weightedmean", ["cls", "mean"]],
        "pooling_mode_max_tokens": [True],
        "include_prompt": [False, True],
        "embedding_dimension": [32, 16],
    },
    "2_Dense/config.json": {
        "bias": [False],
        "activation_function": ["torch.nn.modules.activation.Tanh", "torch.nn.Identity"],
        "in_features": [16],
        "module_input_name": ["token_embeddings"],
    },
    "3_Normalize/config.json": {
        "module_input_name": ["token_embeddings", "sentence_embedding"],
        "module_output_name": ["other"],
        "p": [1],
    },
    "special_tokens_map.json": {"sep_token": ["the"], "unknown": [1]},
    "added_tokens.json": {"the": [5], "<new>": [3, 400, 10**6]},
}


@pytest.fixture(scope="module")
def sources(tiny, tmp_path_factory):
    """Directories by kind, to copy."""
    found = {
        kind: tiny.sentence(
            f"fuzzed-{kind}", kind=kind, head=[{"out_features": 16}], normalize=True,
            prompts={"query": "search: "},
        )
        for kind in KINDS[:6]
    }  # fmt: skip
    found["plain-bert"] = tiny.transformers("bert")
    found["qwen3"] = _qwen(tiny, tmp_path_factory.mktemp("qwen3"))
    return found


def _qwen(tiny, path):
    from transformers import AutoModel, AutoTokenizer, Qwen3Config

    tokenizer = AutoTokenizer.from_pretrained(tiny.transformers("bert"))
    settings = ordinary_settings.MODELS["Qwen3-Embedding-0.6B"]
    left_out = ("torch_dtype", "architectures", "model_type", "transformers_version", "vocab_size")
    config = Qwen3Config(
        **{key: value for key, value in settings.items() if key not in left_out},
        vocab_size=len(tokenizer),
    )
    AutoModel.from_config(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def _changed(path: Path, chance: random.Random) -> list[str]:
    """Change one to three settings of the files in `path`; what was changed."""
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        file = chance.choice(("config.json", "config.json", "tokenizer_config.json", *_TEMPTING))
        if not (path / file).parent.is_dir():
            continue
        tree = json.loads((path / file).read_text()) if (path / file).is_file() else {}
        how = chance.choice(("drop", "change", "add", "add", "tempt", "tempt", "tempt"))
        done.append(f"{file}: {_change(tree, file, how, chance)}")
        (path / file).write_text(json.dumps(tree))
    return done


def _change(tree: dict, file: str, how: str, chance: random.Random) -> str:
    if how == "drop" and tree:
        key = chance.choice(sorted(tree))
        del tree[key]
        return f"without {key}"
    if how == "change" and tree:
        key = chance.choice(sorted(tree))
        tree[key] = _other(tree[key], chance)
    elif how == "add":
        known = chance.choice(
            sorted(ordinary_settings.TOKENIZERS.items())
            if file == "tokenizer_config.json"
            else sorted(ordinary_settings.MODELS.items())
        )[1]
        key = chance.choice(sorted(known))
        tree[key] = known[key]
    else:
        key = chance.choice(sorted(_TEMPTING[file]))
        tree[key] = chance.choice(_TEMPTING[file][key])
    return f"{key} = {tree[key]!r}"


def _other(value, chance):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice((0, 1, -1, value + 1, value * 2, value // 2, 10**6, None, str(value)))
    if isinstance(value, float):
        return chance.choice((0.0, value * 10, -value, None))
    if isinstance(value, str):
        return chance.choice(("", value.upper(), f"{value}x", None, "gelu_new"))
    return chance.choice((None, [], {}, [1], "x"))


def _reference(path):
    """sentence-transformers' own vectors, one text at a time; None where it fails on a text."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(path), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
    )
    found = []
    for text in TEXTS:
        try:
            found.append(model.encode([text], show_progress_bar=False)[0])
        except (RuntimeError, IndexError, ValueError):
            found.append(None)
    return found


def _differences(path, bundle):
    """What is not the same in a bundle and in the original."""
    expected = _reference(path)
    with Encoder.load(bundle) as encoder:
        for text, vector in zip(TEXTS, expected, strict=True):
            if vector is None:
                continue
            found = encoder.encode([text])[0]
            if found.shape != vector.shape:
                yield f"{text[:20]!r}: {found.shape} in place of {vector.shape}"
                continue
            lengths = np.linalg.norm(found), np.linalg.norm(vector)
            cosine = float(found @ vector) / max(lengths[0] * lengths[1], 1e-30)
            if cosine < 0.99999 or abs(lengths[0] / lengths[1] - 1) > 1e-3:
                yield f"{text[:20]!r}: cosine {cosine:.6f}, lengths {lengths[0]}, {lengths[1]}"


@pytest.mark.parametrize("number", range(COUNT))
def test_a_bundle_is_the_original_or_there_is_none(number, sources, tmp_path):
    chance = random.Random(number)
    source = tmp_path / "model"
    shutil.copytree(sources[KINDS[number % len(KINDS)]], source)
    changes = _changed(source, chance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            report = convert(source, tmp_path / "bundle")
        except EdgeEmbedError as error:
            assert "\n" not in str(error), (changes, error)
            assert not (tmp_path / "bundle").exists()
            _log(number, changes, f"{type(error).__name__}: {error}")
            return
        differences = list(_differences(source, report.path))
    _log(number, changes, "same" if not differences else f"DIFFERENT {differences[0]}")
    assert not differences, changes


def _log(number, changes, outcome):
    """With EDGEEMBED_FUZZED_SETTINGS_LOG, what became of each."""
    if path := os.environ.get("EDGEEMBED_FUZZED_SETTINGS_LOG"):
        with Path(path).open("a") as file:
            file.write(f"{number}\t{KINDS[number % len(KINDS)]}\t{'; '.join(changes)}\t{outcome}\n")
