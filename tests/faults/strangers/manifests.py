"""Manifests and golden vectors that lie."""

import base64
import json

import numpy as np

from helpers import tiny_bundle


def odd_manifest(folder, chance):
    changes = {
        "dim": lambda tree: tree.update(dim=2**62),
        "tokens": lambda tree: tree["towers"]["text"].update(max_tokens=2**31 - 1),
        "static": lambda tree: tree["towers"]["text"].update(static=True, max_tokens=2**31 - 1),
        "bytes": lambda tree: tree["files"]["fp32.onnx"].update(bytes=10**15),
        "negative": lambda tree: tree["files"]["fp32.onnx"].update(bytes=-1),
        "away": lambda tree: tree["files"].update({"../x": {"bytes": 1, "sha256": "0"}}),
        "prompt": lambda tree: tree["towers"]["text"].update(
            prompts={"long": "a b " * 200_000}, default_prompt_name="long"
        ),
        "surrogate": lambda tree: tree["towers"]["text"].update(
            prompts={"x": "\ud800"}, default_prompt_name="x"
        ),
        "words": lambda tree: tree["towers"]["text"].update(
            static=True,
            outputs=["embedding"],
            words={
                "lowercase": True,
                "split_punctuation": True,
                "unknown": "subword",
                "subwords": {"first_row": 2**62, "buckets": 2**62, "min_n": 1, "max_n": 100},
            },
        ),
    }
    kind = chance.choice(sorted(changes))
    tiny_bundle.edit_manifest(folder, changes[kind])
    return kind


def manifest_bytes(folder, chance):
    path = folder / "edgeembed.json"
    data = path.read_bytes()
    path.write_bytes(
        chance.choice(
            [
                data.replace(b'"dim": 16', b'"dim": 16, "dim": 17', 1),
                data.replace(b'"dim": 16', b'"dim": NaN', 1),
                data.replace(b'"dim": 16', b'"dim": ' + b"9" * 900_000, 1),
                data[:-1] + b', "z": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
                b"\xef\xbb\xbf" + data,
                data.decode().encode("utf-16"),
                b"",
            ]
        )
    )


def odd_golden(folder, chance):
    numbers = base64.b64encode(np.ones((1, 16), "<f4").tobytes()).decode()
    good = {"texts": ["a b c"], "dim": 16, "vectors": numbers}
    tree = chance.choice(
        [
            {**good, "dim": 2**40},
            {**good, "dim": 2, "texts": ["a", "b"]},
            {**good, "texts": ["\ud800"]},
            {**good, "texts": ["a " * 400_000]},
            {**good, "vectors": "!"},
            {"texts": []},
        ]
    )
    data = json.dumps(tree).encode()
    tiny_bundle.put_file(folder, "golden.json", data)


MANIFESTS = [odd_manifest, manifest_bytes, odd_golden]
