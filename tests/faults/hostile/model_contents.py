"""Changes of a model's files that lie about sizes, kinds and numbers."""

import json
import random
import struct
from pathlib import Path
from typing import Any

from faults.harness.mutations import damaged
from faults.hostile.model_places import change_json, is_plain

_ODD: tuple[Any, ...] = (
    0,
    -1,
    -5,
    1,
    3,
    10**9,
    10**6,
    10**10,
    10**400,
    2**31,
    2**63,
    2**64,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "16",
    "",
    "os.system",
    None,
    True,
    False,
    [],
    {},
    [16],
    {"a": 1},
    "\ud800",
    "a" * 100_000,
    [[[[]]]],
    "../outside",
    "\0",
    "torch.nn.modules.activation.Tanh",
)
_SIZES = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "hidden_act",
    "pad_token_id",
    "num_labels",
    "id2label",
    "architectures",
    "model_type",
    "torch_dtype",
    "dtype",
    "is_decoder",
    "pruned_heads",
    "rope_scaling",
    "quantization_config",
    "text_config",
    "vision_config",
    "chunk_size_feed_forward",
    "image_size",
    "patch_size",
    "num_channels",
    "encoder_stride",
    "attn_implementation",
    "problem_type",
    "tie_word_embeddings",
    "embedding_dtype",
    "head_dim",
    "num_key_value_heads",
    "use_cache",
    "layer_types",
    "backbone_config",
    "transformers_weights",
)
_ACTIVATIONS = (
    "os.system",
    "builtins.exec",
    "builtins.print",
    "subprocess.Popen",
    "torch.load",
    "torch.nn.Tanh",
    "torch.nn.modules.activation.Tanh",
    "torch.hub.load",
    "torch.nn.modules.linear.Linear",
    "shutil.rmtree",
    "torch.nn.modules.activation.MultiheadAttention",
    "",
    "Tanh",
    "a..b",
    5,
    None,
    ["torch"],
    "torch.serialization.load",
    "torch.nn.modules.module.Module",
    "pty.spawn",
    "torch.utils.cpp_extension.load",
)


def config_value(model: Path, outside: Path, chance: random.Random) -> str:
    """Sizes that cannot be, and other types than are expected."""
    name = chance.choice(("config.json",) * 5 + ("preprocessor_config.json",) * 2)
    path = model / name
    known = [*_keys(path), *_SIZES]
    key = chance.choice(known)
    value = chance.choice(_ODD)
    change_json(path, {key: value})
    return f"{name}: {key} = {value!r:.40}"


def other_value(model: Path, outside: Path, chance: random.Random) -> str:
    """Any value in any of the JSON files, however deep."""
    paths = [path for path in sorted(model.rglob("*.json")) if is_plain(path)]
    if not paths:
        return "nothing"
    path = chance.choice(paths)
    try:
        tree = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return "nothing"
    value, at, keys = chance.choice(_ODD), tree, ""
    while isinstance(at, dict | list) and at:
        key: Any = chance.choice(list(at)) if isinstance(at, dict) else chance.randrange(len(at))
        keys += f"/{key}"
        if not isinstance(at[key], dict | list) or not at[key] or chance.random() < 0.3:
            at[key] = value
            break
        at = at[key]
    path.write_text(json.dumps(tree), encoding="utf-8")
    return f"{path.name}: {keys[:60]} = {value!r:.40}"


def odd_json(model: Path, outside: Path, chance: random.Random) -> str:
    """JSON that is deep, doubled, of another type, or none."""
    paths = [path for path in sorted(model.rglob("*.json")) if is_plain(path)]
    if not paths:
        return "nothing"
    path = chance.choice(paths)
    sound = path.read_bytes()
    what, data = chance.choice(
        (
            ("deep list", b"[" * 100_000),
            ("deep object", b'{"a":' * 100_000),
            ("closed deep list", b"[" * 100_000 + b"]" * 100_000),
            ("empty", b""),
            ("list", b"[]"),
            ("number", b"1"),
            ("null", b"null"),
            ("huge number", b"1" * 5_000_000),
            ("deep value", sound.rstrip()[:-1] + b', "x": ' + b"[" * 900 + b"]" * 900 + b"}"),
            ("doubled keys", sound.rstrip()[:-1] + b', "vocab_size": 7, "vocab_size": 9}'),
            ("UTF-16", sound.decode("utf-8", "replace").encode("utf-16")),
            ("BOM", b"\xef\xbb\xbf" + sound),
            ("NaN", b'{"a": NaN, "b": -Infinity, "vocab_size": NaN}'),
            ("huge exponent", b'{"vocab_size": 1e999999999, "hidden_size": 1e400}'),
            ("many keys", json.dumps({str(n): n for n in range(200_000)}).encode()),
            ("cut off", sound[: len(sound) // 2]),
            ("zeros", bytes(5000)),
            ("lone surrogate", b'{"a": "\\ud800", "model_type": "\\udfff"}'),
        )
    )
    path.write_bytes(data)
    return f"{path.name}: {what}"


def lying_weights(model: Path, outside: Path, chance: random.Random) -> str:  # noqa: C901 (all lies)
    """Headers of safetensors that say what is not so."""
    paths = [path for path in sorted(model.rglob("*.safetensors")) if is_plain(path)]
    if not paths:
        return "nothing"
    path = chance.choice(paths)
    data = path.read_bytes()
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        return "nothing"
    names = [name for name in header if name != "__metadata__"]
    what = chance.choice(_LIES)
    body = data[8 + length :]
    if not names:
        return "nothing"
    entry: Any = header[chance.choice(names)]
    if not isinstance(entry, dict) or "shape" not in entry:
        return "nothing"
    size, text = None, None
    match what:
        case "2**63":
            size = 2**63
        case "1 GB":
            size = 2**30
        case "huge shape":
            entry["shape"] = [4294967295, 4294967295]
        case "negative shape":
            entry["shape"] = [-1, *entry["shape"][1:]]
        case "odd shape":
            entry["shape"] = chance.choice((None, "16", [1.5], [2**70], [[]], [0], [1] * 5000))
        case "overlap":
            entry["data_offsets"] = [0, len(body)]
        case "offsets":
            entry["data_offsets"] = chance.choice(
                ([5], [2**63, 2**64], [-8, 8], ["0", "4"], [8, 0], None, [1.5, 2])
            )
        case "dtype":
            entry["dtype"] = chance.choice(
                ("I64", "F64", "F8_E4M3", "BOOL", "x", 5, None, "U8", "F16")
            )
        case "metadata":
            header["__metadata__"] = chance.choice(
                ({"format": "tf"}, {"format": 5}, [], {"a": "x" * 9_000_000})
            )
        case "deep":
            text = b"[" * 90_000
        case "many tensors":
            for number in range(100_000):
                header[f"x{number}"] = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        case "no tensors":
            header, body = {}, b""
        case "NaN":
            body = b"\xff\xff\xff\x7f" * (len(body) // 4)
        case "infinity":
            body = b"\x00\x00\x80\x7f" * (len(body) // 4)
        case "zeros":
            body = bytes(len(body))
        case "huge values":
            body = b"\xff\xff\x7f\x7f" * (len(body) // 4)
        case _:
            body = damaged(body, chance)
    text = json.dumps(header).encode() if text is None else text
    path.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + body)
    return f"{path.name}: {what}"


_LIES = (
    "2**63",
    "1 GB",
    "huge shape",
    "negative shape",
    "odd shape",
    "overlap",
    "offsets",
    "dtype",
    "metadata",
    "deep",
    "many tensors",
    "no tensors",
    "NaN",
    "infinity",
    "zeros",
    "huge values",
    "damaged",
)


def module_settings(model: Path, outside: Path, chance: random.Random) -> str:
    """Settings of sentence-transformers' modules."""
    name, changes = chance.choice(
        (
            ("2_Dense/config.json", {"activation_function": chance.choice(_ACTIVATIONS)}),
            ("2_Dense/config.json", {"activation_function": chance.choice(_ACTIVATIONS)}),
            (
                "2_Dense/config.json",
                {chance.choice(("in_features", "out_features")): chance.choice(_ODD)},
            ),
            (
                "1_Pooling/config.json",
                {
                    chance.choice(
                        (
                            "word_embedding_dimension",
                            "embedding_dimension",
                            "pooling_mode",
                            "include_prompt",
                            "pooling_mode_mean_tokens",
                        )
                    ): chance.choice(_ODD)
                },
            ),
            (
                "sentence_bert_config.json",
                {
                    chance.choice(
                        (
                            "max_seq_length",
                            "do_lower_case",
                            "model_args",
                            "processor_kwargs",
                            "transformer_task",
                            "modality_config",
                            "module_output_name",
                            "config_args",
                            "unpad_inputs",
                            "model_kwargs",
                            "backend",
                            "cache_dir",
                            "tokenizer_args",
                        )
                    ): chance.choice(_ODD)
                },
            ),
            (
                "sentence_bert_config.json",
                {"model_args": {"trust_remote_code": True, "token": "x"}},
            ),
            (
                "sentence_bert_config.json",
                {
                    "modality_config": {
                        "text": {
                            "method": chance.choice(
                                (
                                    "forward",
                                    "__class__",
                                    "save_pretrained",
                                    "zero_grad",
                                    "share_memory",
                                )
                            ),
                            "method_output_name": chance.choice(("x", "last_hidden_state", None)),
                        }
                    }
                },
            ),
            (
                "sentence_bert_config.json",
                {
                    "transformer_task": chance.choice(
                        ("feature-extraction", "text-generation", "fill-mask", "evil", "any-to-any")
                    )
                },
            ),
            (
                "config_sentence_transformers.json",
                {
                    "prompts": chance.choice(
                        (
                            {"query": "q" * 50_000_000},
                            {"query": "\x1b[31m"},
                            {f"p{n}": "x" for n in range(50_000)},
                            {"": ""},
                            {"query": "\ud800"},
                            {"\x1b": "x"},
                        )
                    )
                },
            ),
            (
                "config_sentence_transformers.json",
                {
                    chance.choice(
                        (
                            "similarity_fn_name",
                            "default_prompt_name",
                            "truncate_dim",
                            "model_type",
                            "prompts",
                        )
                    ): chance.choice(_ODD)
                },
            ),
            ("modules.json", None),
        )
    )
    if changes is not None:
        if (model / name).parent.is_dir():
            change_json(model / name, changes)
        return f"{name}: {changes!r:.80}"
    path = model / name
    try:
        entries: Any = json.loads(path.read_bytes()) if is_plain(path) else None
        assert isinstance(entries, list)
    except (OSError, ValueError, RecursionError, AssertionError):
        return "nothing"
    what = chance.choice(("doubled", "many", "reversed", "kwargs"))
    if what == "many":
        entries = [*entries, *([entries[-1]] * 20_000)]
    elif what == "kwargs":
        entries[0]["kwargs"] = {
            "trust_remote_code": True,
            "model_args": {"trust_remote_code": True},
        }
    else:
        entries = entries * 2 if what == "doubled" else entries[::-1]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return f"modules.json: {what}"


def damaged_file(model: Path, outside: Path, chance: random.Random) -> str:
    """Any file, damaged."""
    paths = [path for path in sorted(model.rglob("*")) if is_plain(path)]
    if not paths:
        return "nothing"
    path = chance.choice(paths)
    path.write_bytes(damaged(path.read_bytes(), chance))
    return f"{path.name} is damaged"


def _keys(path: Path) -> list[str]:
    try:
        return [*json.loads(path.read_bytes())] if is_plain(path) else []
    except (OSError, ValueError, RecursionError, TypeError):
        return []
