"""Tokenizers that ask for memory or time."""

import base64
import json
import struct

from helpers import tiny_bundle


def put_tokenizer(folder, **parts):
    tree = json.loads((folder / "tokenizer.json").read_bytes())
    tiny_bundle.put_file(folder, "tokenizer.json", json.dumps({**tree, **parts}).encode())


def sequence(parts, kind="normalizers"):
    return {"type": "Sequence", kind: parts}


REGEXES = (
    "^(a+)+$",
    "(?:(?:a|a)*)*(?=b)",
    "(x+x+)+y",
    "(a|a)" * 30 + "b",
    "a*a*a*a*b",
    "a{0,900}a{0,900}a{0,900}b",
    r"(a*)*\1b",
    "(?<=a)(a*)*b",
    "(?:a?){900}" + "a" * 900,
    "((((a{1,90}){1,90}){1,90}){1,90})",
    r"\s*\s*\s*x",
    "[^\\s]*[^\\s]*X!",
    "(?:a+|b)+c",
    "(" * 900 + ")" * 900,
    "a" * 200_000,
)


def hostile_split(folder, chance):
    regex = chance.choice(REGEXES)
    part = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    put_tokenizer(folder, pre_tokenizer=part)
    return regex[:40]


def hostile_replace(folder, chance):
    regex = chance.choice(REGEXES)
    part = {"type": "Replace", "pattern": {"Regex": regex}, "content": "z"}
    put_tokenizer(folder, normalizer=part)
    return regex[:40]


def growing_replace(folder, chance):
    times, count = chance.choice(((30, 7), (2, 40), (1000, 3), (100_000, 1), (2, 13)))
    part = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * times}
    put_tokenizer(folder, normalizer=sequence([part] * count))
    return times, count


def growing_prepend(folder, chance):
    length, count = chance.choice(((15_000, 60), (900_000, 1), (60, 10_000)))
    part = {"type": "Prepend", "prepend": "a" * length}
    put_tokenizer(folder, normalizer=sequence([part] * count))
    return length, count


def growing_bytes(folder, chance):
    part = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    count = chance.randint(10, 60)
    if chance.random() < 0.5:
        put_tokenizer(folder, pre_tokenizer=sequence([part] * count, "pretokenizers"))
    else:
        put_tokenizer(folder, normalizer=sequence([{"type": "ByteLevel"}] * count))
    return count


def nested_parts(folder, chance):
    depth = chance.choice((20, 100, 5000, 100_000))
    tree = json.loads((folder / "tokenizer.json").read_bytes())
    text = json.dumps({**tree, "normalizer": "@here@"}).replace(
        '"@here@"',
        '{"type":"Sequence","normalizers":[' * (depth // 5)
        + '{"type":"Lowercase"}'
        + "]}" * (depth // 5),
    )
    tiny_bundle.put_file(folder, "tokenizer.json", text.encode())
    return depth


def charsmap(folder, chance):
    kind = chance.randrange(5)
    trie = struct.pack("<64I", *(chance.getrandbits(32) for _ in range(64)))
    table = [
        b"\xff" * 400,
        struct.pack("<I", 2**31) + b"\0" * 40,
        struct.pack("<I", len(trie)) + trie + b"x" * 100_000 + b"\0",
        struct.pack("<I", len(trie)) + trie + b"x\0y\0" * 10,
        struct.pack("<I", 2**32 - 1) + trie,
    ][kind]
    encoded = base64.b64encode(table).decode()
    put_tokenizer(folder, normalizer={"type": "Precompiled", "precompiled_charsmap": encoded})
    return kind


def added_tokens(folder, chance):
    kind = chance.choice(("many", "highest id", "empty", "long", "lone"))
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    tokens = {
        "many": [{"id": 10**6 + at, "content": f"z{at}", **flags} for at in range(6500)],
        "highest id": [{"id": 2**32 - 1, "content": "a", **flags}],
        "empty": [{"id": 5, "content": "", **flags, "special": True, "lstrip": True}],
        "long": [{"id": 900, "content": "a" * 400_000, **flags}],
        "lone": [{"id": 900, "content": "\ud800", **flags}],
    }[kind]
    put_tokenizer(folder, added_tokens=tokens)
    return kind


def vocabulary(folder, chance):
    kind = chance.choice(("long", "endless word", "unigram", "merges", "ids", "none"))
    letters = {letter: at for at, letter in enumerate("abcdefghijklmnop")}
    model = {
        "long": {"type": "WordLevel", "vocab": {"a" * 800_000: 0, "u": 1}, "unk_token": "u"},
        "endless word": {
            "type": "WordPiece",
            "vocab": {"u": 0, "a": 1, "##" + "a": 2},
            "unk_token": "u",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 10**9,
        },
        "unigram": {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [["u", 0.0]] + [[f"{at}" + "a" * 1000, -1.0] for at in range(850)],
        },
        "merges": {
            "type": "BPE",
            "vocab": letters,
            "merges": [f"{x} {y}" for x in letters for y in letters],
        },
        "ids": {"type": "WordLevel", "vocab": {"a": 2**32 - 1, "u": 2**31}, "unk_token": "u"},
        "none": {"type": "Unigram", "unk_id": 7, "vocab": []},
    }[kind]
    put_tokenizer(folder, model=model)
    return kind


def template(folder, chance):
    kind = chance.choice(("many ids", "many texts", "sequences"))
    special = {"[CLS]": {"id": "[CLS]", "ids": [1] * 1000, "tokens": ["[CLS]"] * 1000}}
    first, text = (
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    )
    one = {"type": "TemplateProcessing", "pair": [text], "special_tokens": special}
    many = {
        "many ids": {**one, "single": [*[first] * 8000, text]},
        "many texts": {**one, "single": [text] * 3000},
        "sequences": sequence([{**one, "single": [text, text]}] * 20, "processors"),
    }[kind]
    put_tokenizer(folder, post_processor=many)
    return kind


def padding(folder, chance):
    size = chance.choice((10**9, 2**63 - 1, 0))
    strategy = {"strategy": {"Fixed": size}, "direction": "Right", "pad_to_multiple_of": size}
    put_tokenizer(
        folder,
        padding={**strategy, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"},
        truncation={
            "direction": "Right",
            "max_length": 1,
            "strategy": "LongestFirst",
            "stride": size,
        },
    )
    return size


def odd_json(folder, chance):
    data = (folder / "tokenizer.json").read_bytes()
    odd = chance.choice(
        [
            b"[" * 300_000,
            b"",
            b"{}",
            b"\xef\xbb\xbf" + data,
            data.decode().encode("utf-16"),
            data.replace(b'"model"', b'"model": {}, "model"', 1),
            data.replace(b'"version"', b'"version": NaN, "x"', 1),
            b"9" * 900_000,
            data[: len(data) // 2],
        ]
    )
    tiny_bundle.put_file(folder, "tokenizer.json", odd)


def mutated_json(folder, chance):
    data = bytearray((folder / "tokenizer.json").read_bytes())
    for _ in range(chance.randint(1, 6)):
        data[chance.randrange(len(data))] = chance.choice(b'0123456789{}[]",:aZ\\')
    tiny_bundle.put_file(folder, "tokenizer.json", bytes(data))


TOKENIZERS = [
    hostile_split,
    hostile_replace,
    growing_replace,
    growing_prepend,
    growing_bytes,
    nested_parts,
    charsmap,
    added_tokens,
    vocabulary,
    template,
    padding,
    odd_json,
    mutated_json,
]
