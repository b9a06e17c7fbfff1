"""Changes of a model's tokenizer that take memory or time, or name what is not there."""

import json
import random
from pathlib import Path
from typing import Any

from faults.hostile.model_places import change_json, is_plain


def tokenizer_bomb(model: Path, outside: Path, chance: random.Random) -> str:
    """Tokenizers that grow a text, never end, or are countless."""
    path = model / "tokenizer.json"
    try:
        tree: Any = json.loads(path.read_bytes()) if is_plain(path) else None
        assert isinstance(tree, dict)
    except (OSError, ValueError, RecursionError, AssertionError):
        return "nothing"
    grow = {"type": "Replace", "pattern": {"String": ""}, "content": "a" * 1000}
    what, changes = chance.choice(
        (
            ("added tokens", {"added_tokens": [_added(f"[X{n}]", n) for n in range(29_000)]}),
            ("more added tokens", {"added_tokens": [_added(f"[X{n}]", n) for n in range(300_000)]}),
            ("growing Replace", {"normalizer": {"type": "Sequence", "normalizers": [grow] * 6}}),
            (
                "Prepends",
                {
                    "normalizer": {
                        "type": "Sequence",
                        "normalizers": [{"type": "Prepend", "prepend": "ab" * 500}] * 2000,
                    }
                },
            ),
            (
                "regex",
                {
                    "pre_tokenizer": {
                        "type": "Split",
                        "pattern": {"Regex": "(a*)*(a*)*b"},
                        "behavior": "Isolated",
                        "invert": False,
                    }
                },
            ),
            (
                "Replace regex",
                {
                    "normalizer": {
                        "type": "Replace",
                        "pattern": {"Regex": "((.*)*)*x"},
                        "content": "",
                    }
                },
            ),
            (
                "charsmap",
                {
                    "normalizer": {
                        "type": "Precompiled",
                        "precompiled_charsmap": "/////w==" + "A" * 1000,
                    }
                },
            ),
            (
                "vocabulary",
                {
                    "model": {
                        "type": "WordPiece",
                        "unk_token": "[UNK]",
                        "vocab": {f"w{n}": n for n in range(1_000_000)},
                        "max_input_chars_per_word": 100,
                        "continuing_subword_prefix": "##",
                    }
                },
            ),
            (
                "ids",
                {
                    "model": {
                        "type": "WordPiece",
                        "unk_token": "[UNK]",
                        "vocab": {"[UNK]": 0, "a": 4294967295, "b": 4294967294},
                        "max_input_chars_per_word": 10**18,
                        "continuing_subword_prefix": "##",
                    }
                },
            ),
            ("no model", {"model": None}),
            ("other model", {"model": {"type": "BPE", "vocab": {}, "merges": []}}),
            (
                "template",
                {
                    "post_processor": {
                        "type": "TemplateProcessing",
                        "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 1000,
                        "pair": [],
                        "special_tokens": {},
                    }
                },
            ),
            (
                "padding",
                {
                    "padding": {
                        "strategy": {"Fixed": 10**12},
                        "direction": "Right",
                        "pad_to_multiple_of": None,
                        "pad_id": 0,
                        "pad_type_id": 0,
                        "pad_token": "[PAD]",
                    }
                },
            ),
            (
                "truncation",
                {
                    "truncation": {
                        "direction": "Right",
                        "max_length": 2**63,
                        "strategy": "LongestFirst",
                        "stride": 2**62,
                    }
                },
            ),
            ("long token", {"added_tokens": [_added("x" * 5_000_000, 0)]}),
            ("version", {"version": "99.0"}),
            ("model type", {"model": {"type": "Evil"}}),
            (
                "Unigram",
                {"model": {"type": "Unigram", "unk_id": 5_000_000, "vocab": [["a", -1.0]]}},
            ),
            ("nested", {"pre_tokenizer": _nested(400)}),
        )
    )
    path.write_text(json.dumps({**tree, **changes}), encoding="utf-8")
    return f"tokenizer.json: {what}"


def _added(content: str, number: int) -> dict[str, Any]:
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    return {"id": number, "content": content, "special": True, **dict.fromkeys(flags, False)}


def _nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"type": "Whitespace"}
    for _ in range(depth):
        tree = {"type": "Sequence", "pretokenizers": [tree]}
    return tree


def tokenizer_settings(model: Path, outside: Path, chance: random.Random) -> str:
    """Settings beside the tokenizer: classes, countless tokens, templates that are programs."""
    name = chance.choice(("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"))
    bomb = "{% for a in range(10**9) %}{% for b in range(10**9) %}x{% endfor %}{% endfor %}"
    run = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    key, value = chance.choice(
        (
            (
                "tokenizer_class",
                chance.choice(
                    (
                        "PreTrainedTokenizer",
                        "T5Tokenizer",
                        "os.system",
                        "LlamaTokenizer",
                        "BertTokenizer",
                        5,
                        "../evil",
                        "ByT5Tokenizer",
                        "BertJapaneseTokenizer",
                        "TapasTokenizer",
                    )
                ),
            ),
            (
                "added_tokens_decoder",
                {str(n): {"content": f"[{n}]", "special": True} for n in range(300_000)},
            ),
            (
                "added_tokens_decoder",
                {"99999999999": {"content": "a", "special": True}, "-1": {"content": "b"}},
            ),
            ("added_tokens_decoder", {"x": 5, "0": {"content": ""}}),
            ("chat_template", chance.choice((bomb, run, 5, [{"name": "x", "template": bomb}]))),
            (
                "model_max_length",
                chance.choice((0, -1, 1, 10**30, 1e30, "512", float("nan"), 2**63)),
            ),
            ("extra_special_tokens", chance.choice(({"a": "b"}, ["x"] * 50_000, 5, [None]))),
            ("additional_special_tokens", ["[Y" + str(n) + "]" for n in range(50_000)]),
            (
                "cls_token",
                chance.choice(("nothing", "", 5, None, {"content": 5}, {"__type": "AddedToken"})),
            ),
            ("pad_token", chance.choice(("nothing", "", "x" * 10_000_000, None))),
            ("model_input_names", chance.choice((["evil"], [], 5, ["input_ids"] * 10_000))),
            ("init_inputs", ["../outside"] * 10),
            ("truncation_side", "evil"),
            ("padding_side", 5),
            ("backend", chance.choice(("evil", "mistral", "sentencepiece", "custom", 5))),
        )
    )
    change_json(model / name, {key: value})
    return f"{name}: {key} = {value!r:.40}"
