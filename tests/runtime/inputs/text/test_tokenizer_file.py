"""What a tokenizer.json may hold: real ones pass, and those that ask for memory or years do not."""

import base64
import json
import struct

import pytest

from edgeembed_runtime.bundle.packaged import PACKAGED
from edgeembed_runtime.errors import BundleCorruptError, BundleUnsafeError, InputError
from edgeembed_runtime.inputs.text.regular_expressions import check_regex
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from edgeembed_runtime.inputs.text.tokenizer_file import check_tokenizer_file
from helpers import tiny_bundle

LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
REAL = [
    LLAMA,
    LLAMA.replace("{1,3}", ""),
    O200K,
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "(?<=[^\u2581])(?=\u2581)",
    "[一-龥ࠀ-一가-퟿]+",
    r"\s?\p{P}+",
    " {2,}",
    r"\s+",
]
ENDLESS = [
    "^(a+)+$",
    "(?:(?:a|a)*)*(?=b)",
    "(x+x+)+y",
    "a*b",
    r"\s*[\r\n]+",
    "(a|a)" * 30 + "b",
    "a{0,900}b",
    "a{0,300}a{0,300}b",
    r"(a)\1",
    "(?<=a+)b",
    "(?>a)",
    "(?i)a",
    "a{1,3}+b",
    "[]a]",
    "[a",
    "(a",
    "a)",
    "x{}y",
    "*",
    "((((((((((((((((((a))))))))))))))))))",
    "a" * 5000,
]


@pytest.mark.parametrize("regex", REAL)
def test_regular_expressions_of_real_tokenizers_are_safe(regex):
    assert check_regex(regex) is None


@pytest.mark.parametrize("regex", ENDLESS, ids=lambda regex: regex[:30])
def test_one_that_goes_back_without_end_is_not(regex):
    found = check_regex(regex)
    assert (found is None) == (regex == "a{0,900}b")


@pytest.mark.parametrize("name", PACKAGED)
def test_the_package_s_own_tokenizers_pass(name):
    data = (PACKAGED[name].path / "tokenizer.json").read_bytes()
    assert check_tokenizer_file(data) < 10


def changed(**parts):
    return json.dumps({**json.loads(tiny_bundle.tokenizer().to_str()), **parts}).encode()


def sequence(*parts):
    return {"type": "Sequence", "normalizers": list(parts)}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def charsmap(data):
    encoded = base64.b64encode(data).decode()
    return {"normalizer": {"type": "Precompiled", "precompiled_charsmap": encoded}}


TEMPLATE = {"type": "TemplateProcessing", "pair": [], "special_tokens": {}}
TEXT = {"Sequence": {"id": "A", "type_id": 0}}
FLAGS = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
HOSTILE = {
    "a growing Replace": {"normalizer": sequence(*[replace({"String": "a"}, "aa")] * 12)},
    "a long Replace": {"normalizer": replace({"Regex": "a"}, "a" * 10_000)},
    "long Prepends": {"normalizer": sequence({"type": "Prepend", "prepend": "a" * 10_000})},
    "many parts": {"normalizer": sequence(*[{"type": "Lowercase"}] * 40)},
    "bytes of bytes": {"normalizer": sequence(*[{"type": "ByteLevel"}] * 12)},
    "an endless Split": {
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "(a+)+b"},
            "behavior": "Isolated",
            "invert": False,
        }
    },
    "a table of long texts": charsmap(struct.pack("<2I", 4, 0) + b"x" * 500 + b"\0"),
    "endless words": {
        "model": {
            "type": "WordPiece",
            "vocab": {"u": 0},
            "unk_token": "u",
            "max_input_chars_per_word": 10**9,
        }
    },
    "a long token": {"model": {"type": "WordLevel", "vocab": {"a" * 5000: 0}, "unk_token": "a"}},
    "many long tokens": {
        "model": {"type": "Unigram", "vocab": [[f"{n}{'a' * 900}", -1.0] for n in range(500)]}
    },
    "an empty added token": {"added_tokens": [{"id": 1, "content": "", **FLAGS}]},
    "the text many times": {"post_processor": {**TEMPLATE, "single": [TEXT, TEXT]}},
    "many special tokens": {
        "post_processor": {
            **TEMPLATE,
            "single": [TEXT, *[{"SpecialToken": {"id": "s", "type_id": 0}}] * 20],
            "special_tokens": {"s": {"id": "s", "ids": [1] * 100, "tokens": ["s"] * 100}},
        }
    },
}


@pytest.mark.parametrize("parts", HOSTILE.values(), ids=HOSTILE)
def test_a_tokenizer_that_asks_for_too_much_is_unsafe(parts):
    with pytest.raises(BundleUnsafeError, match=r"^t\.json: "):
        TextTokenizer.from_bytes(changed(**parts), 32, "t.json")


DAMAGED = {
    "a length beyond the table": charsmap(struct.pack("<I", 2**31) + b"\0" * 40),
    "no text after the trie": charsmap(struct.pack("<2I", 4, 0)),
    "an unknown part": {"normalizer": {"type": "Telepathy"}},
    "a part without a type": {"pre_tokenizer": {"pretokenizers": []}},
    "a list as a type": {"model": {"type": [], "vocab": {}}},
}


@pytest.mark.parametrize("merge", ["a b", ["a", "b"], "a", [], ["a", 1]])
def test_a_merge_whose_second_part_lacks_the_prefix_is_refused_before_the_library_panics(
    merge, capfd
):
    model = {
        "type": "BPE",
        "vocab": {"a": 0, "##b": 1, "a##b": 2, "ab": 3, "b": 4},
        "continuing_subword_prefix": "##",
        "merges": ["a ##b", merge],
    }
    with pytest.raises(BundleCorruptError, match=r"merges: expected second parts"):
        TextTokenizer.from_bytes(changed(model=model), 32, "t.json")
    assert "panicked" not in capfd.readouterr().err
    TextTokenizer.from_bytes(changed(model={**model, "merges": ["a ##b"]}), 32, "t.json")


@pytest.mark.parametrize("parts", DAMAGED.values(), ids=DAMAGED)
def test_a_tokenizer_of_another_format_is_damage(parts):
    with pytest.raises(BundleCorruptError, match=r"^t\.json: "):
        TextTokenizer.from_bytes(changed(**parts), 32, "t.json")


@pytest.mark.parametrize(
    "data",
    [
        changed().replace(b'"model"', b'"model": {}, "model"', 1),
        changed().replace(b'"version"', b'"version": NaN, "x"', 1),
        changed().decode().encode("utf-16"),
        b"[" * 100_000,
    ],
    ids=["a key twice", "not a number", "another encoding", "no end"],
)
def test_json_that_parsers_read_differently_is_refused(data):
    with pytest.raises((BundleCorruptError, BundleUnsafeError), match=r"^t\.json: "):
        TextTokenizer.from_bytes(data, 32, "t.json")


def test_a_text_that_becomes_too_long_is_an_error_for_that_text():
    growing = sequence(replace({"String": "a"}, "a" * 8), {"type": "NFKC"})
    tokenizer = TextTokenizer.from_bytes(changed(normalizer=growing), 32, "t.json")
    assert len(tokenizer.encode("a cat").ids)
    with pytest.raises(InputError, match="characters long, got one of 2000000 that becomes longer"):
        tokenizer._encode("a" * 2_000_000)  # of a long document, only parts get so far


def test_a_part_without_a_bound_loads_if_asked_to():
    part = {"type": "Split", "pattern": {"Regex": "a+b"}, "behavior": "Isolated", "invert": False}
    data = changed(pre_tokenizer=part)
    with pytest.raises(BundleUnsafeError, match="a repetition without end"):
        TextTokenizer.from_bytes(data, 32, "t.json")
    TextTokenizer.from_bytes(data, 32, "t.json", trust="proven")
