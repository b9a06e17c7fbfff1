"""Changed settings of a model's files: keys dropped, added, and given other values."""

import json
import random
from pathlib import Path
from typing import Any

from helpers.settings import ordinary_settings

# Keys that have meant another model, by the file that they stand in.
_TEMPTING: dict[str, dict[str, list[Any]]] = {
    "config.json": {
        "is_causal": [True, False],
        "is_decoder": [True, False],
        "position_embedding_type": ["relative_key", "relative_key_query", "absolute", "rotary"],
        "use_bidirectional_attention": [True, False],
        "rope_theta": [10000.0, 500.0],
        "rope_scaling": [
            {"rope_type": "linear", "factor": 4.0},
            {"type": "dynamic", "factor": 2.0},
            {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16},
            {"rope_type": "odd"},
            "linear",
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
        "attn_implementation": ["sdpa", "flash_attention_2"],
        "_attn_implementation": ["eager", "flash_attention_2"],
        "quantization_config": [{}, {"quant_method": "gptq", "bits": 4}, {"load_in_8bit": True}],
        "text_config": [{"hidden_size": 16}, {"model_type": "bert", "num_hidden_layers": 3}],
        "dtype": ["float16", "odd"],
        "attention_dropout": [0.5],
        "num_key_value_heads": [1],
        "head_dim": [8],
        "id2label": [{"0": "a", "1": "b", "2": "c"}],
    },
    "tokenizer_config.json": {
        "truncation_side": ["left", "right"],
        "padding_side": ["left", "right"],
        "model_max_length": [1, 8, 8.5, 100, 1e30],
        "do_lower_case": [True, False],
        "strip_accents": [True, False],
        "tokenize_chinese_chars": [False],
        "add_prefix_space": [True, False],
        "add_bos_token": [True, False],
        "add_eos_token": [True, False],
        "split_special_tokens": [True],
        "max_length": [4],
        "pad_to_multiple_of": [8],
        "pad_token": ["the", "[NEW]"],
        "eos_token": ["[EOS]"],
        "unk_token": ["the"],
        "extra_special_tokens": [{"image_token": "<image>"}, ["<a>", "<b>"], {"x": "the"}],
        "added_tokens_decoder": [
            {"5": {"content": "guitar", "special": True}},
            {"500": {"content": "guitar", "special": False, "lstrip": True, "rstrip": True}},
        ],
        "model_input_names": [["input_ids"], ["input_ids", "token_type_ids", "attention_mask"]],
        "cls_token": ["[SEP]", "the"],
        "additional_special_tokens": [["the", "[NEW]"]],
        "tokenizer_class": ["BertTokenizer", "RobertaTokenizer", "GPT2Tokenizer"],
        "chat_template": ["{{ messages[0]['content'] }}"],
    },
    "sentence_bert_config.json": {
        "max_seq_length": [1, 4, 8, None, 1000, 8.0, 1e30],
        "do_lower_case": [True, False],
        "config_args": [{"num_hidden_layers": 1}, {"hidden_act": "relu"}],
        "tokenizer_args": [{"truncation_side": "left"}, {"model_max_length": 6}],
        "processing_kwargs": [
            {"text": {"max_length": 5}},
            {"text": {"add_special_tokens": False}},
            {"text": {"max_length": 6}, "common": {"max_length": 4}},
        ],
        "query_length": [4],
    },
    "config_sentence_transformers.json": {
        "prompts": [
            {"query": "q: ", "document": "d: "},
            {"query": None},
            None,
            {"": "empty: ", "query ": "space: ", "Query": "capital: "},
            {"passage": "p: "},
            ["query"],
        ],
        "default_prompt_name": ["query", "none", "", None],
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
    "special_tokens_map.json": {
        "sep_token": ["the"],
        "cls_token": [{"content": "[NEW]", "lstrip": True}],
        "additional_special_tokens": [["guitar"]],
        "unknown": [1],
    },
    "generation_config.json": {"max_length": [4], "odd": [1]},
    "tokenizer.json": {
        "truncation": [
            {"direction": "Left", "max_length": 6, "strategy": "LongestFirst", "stride": 0}
        ],
        "padding": [
            {
                "strategy": {"Fixed": 16},
                "direction": "Left",
                "pad_to_multiple_of": None,
                "pad_id": 0,
                "pad_type_id": 0,
                "pad_token": "[PAD]",
            }
        ],
        "normalizer": [None, {"type": "NFC"}],
    },
    "added_tokens.json": {"the": [5], "<new>": [3, 400, 10**6]},
}


def change_settings(path: Path, chance: random.Random) -> list[str]:
    """Change one to three settings of the files of the model in `path`; what was changed.

    Whatever it is, the files say something else afterwards.
    """
    done: list[str] = []
    before = _settings(path)
    while _settings(path) == before:
        done += _changed(path, chance)
    return done


def _settings(path: Path) -> dict[str, str]:
    """What every JSON file says, however it is written."""
    return {
        file.relative_to(path).as_posix(): json.dumps(json.loads(file.read_text()), sort_keys=True)
        for file in path.rglob("*.json")
    }


def _changed(path: Path, chance: random.Random) -> list[str]:
    """Change one to three settings of the files in `path`; what was changed."""
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        file = chance.choice(("config.json", "config.json", "tokenizer_config.json", *_TEMPTING))
        if not (path / file).parent.is_dir():
            continue
        tree = json.loads((path / file).read_text()) if (path / file).is_file() else {}
        how = chance.choice(("drop", "change", "add", "add", "tempt", "tempt", "tempt"))
        if file == "tokenizer.json":  # its other keys are the vocabulary
            how = "tempt"
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
        if key == "model_max_length":  # longer probes take minutes, and show nothing else
            tree[key] = min(tree[key], 512)
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
